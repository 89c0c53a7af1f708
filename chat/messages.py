"""Messages: send, edit, delete, and the pages of a chat's history."""

from dataclasses import dataclass

from chat import payloads
from chat.channels import projections_of
from chat.events import Event, Outcome, digest
from chat.message import COLUMNS, Message
from chat.unread import count_events
from errors import Refused
from store.database import array

_PROJECTIONS = projections_of("messageAdded")


@dataclass(slots=True)
class _Sending:
    """A message on its way into the database."""

    actor: str
    op: str
    digest: int
    chat_id: str
    content: str
    unread_limit: int

    @property
    def key(self):
        return self.actor, self.op


@dataclass(slots=True)
class _Sent:
    """What came of one: the Message, and what of it must be published."""

    message: Message
    repeated: bool
    read_now: bool  # sending moved the sender's watermark over messages of others
    derive: bool  # too many participants: nobody's count is in `unread`
    unread: list  # [[user id, unread, head, watermark], …] of those whose count changed


async def send(db, actor: str, op: str, chat_id: str, content: str, unread_limit: int) -> Outcome:
    """Send a message; answers the Message. Raises `Refused`: not_found, idempotency_key_reused."""
    sent = await db.batches(_send_together, _send_alone).call(
        _Sending(actor, op, digest("send", chat_id, content), chat_id, content, unread_limit)
    )
    message, seq = sent.message, sent.message.seq
    shown = payloads.message(message)
    events = []
    if not sent.repeated:
        meta = {"unread": "derive"} if sent.derive else {}
        events.append(Event("messageAdded", chat_id, seq, shown, meta))
        events += [Event(name, chat_id, seq, payloads.notice(shown), meta) for name in _PROJECTIONS]
        events += count_events(chat_id, sent.unread)
        if sent.read_now:
            events.append(
                Event("messageReadUpdated", chat_id, seq, payloads.read(message.id, actor, message.created_at))
            )
    return Outcome(payloads.answered(shown, seq), events, seq, sent.repeated)


async def _send_alone(db, one: _Sending) -> _Sent:
    # Does the same as create_messages, and is cheaper for one. As JSON, because a function in FROM has to be planned with all its columns.
    row = await db.row(
        "select to_json(create_message(%s, %s, %s, %s, %s, %s)) as sent",
        one.actor,
        one.op,
        one.digest,
        one.chat_id,
        one.content,
        one.unread_limit,
    )
    sent = row.sent
    return _Sent(Message.of_json(sent), sent["repeated"], sent["read_now"], sent["derive"], sent["unread"])


async def _send_together(db, several: list[_Sending]) -> list[_Sent | Refused]:
    rows = await db.rows(
        "select * from create_messages(%s::uuid[], %s::uuid[], %s::bigint[], %s::uuid[], %s::text[], %s) order by item",
        *(array(getattr(one, name) for one in several) for name in ("actor", "op", "digest", "chat_id")),
        [one.content for one in several],
        several[0].unread_limit,
    )
    return [
        Refused(row.refusal, field="Idempotency-Key" if row.refusal == "idempotency_key_reused" else None)
        if row.refusal
        else _Sent(Message.of(row), row.repeated, row.read_now, row.derive, row.unread)
        for row in rows
    ]


async def edit(db, actor: str, op: str, message_id: str, content: str) -> Outcome:
    """Edit a message; answers the Message. Raises `Refused`: not_found, not_the_sender, message_is_deleted, idempotency_key_reused."""
    row = await db.row(
        "select * from update_message(%s, %s, %s, %s, %s)",
        actor,
        op,
        digest("edit", message_id, content),
        message_id,
        content,
    )
    shown = payloads.message(Message.of(row))
    events = [] if row.repeated else [Event("messageUpdated", row.chat_id, row.event_seq, shown)]
    return Outcome(payloads.answered(shown, row.seq), events, row.event_seq, row.repeated)


async def delete(db, actor: str, op: str, message_id: str, unread_limit: int) -> Outcome:
    """Leave a tombstone; answers nothing. Raises `Refused`: not_found, not_the_sender, idempotency_key_reused."""
    row = await db.row(
        "select * from remove_message(%s, %s, %s, %s, %s)",
        actor,
        op,
        digest("delete", message_id),
        message_id,
        unread_limit,
    )
    events = []
    if not row.repeated:
        meta = {"unread": "derive"} if row.derive else {}
        events.append(
            Event("messageDeleted", row.chat_id, row.event_seq, payloads.deleted_message(Message.of(row)), meta)
        )
        events += count_events(row.chat_id, row.unread)
    return Outcome(None, events, row.event_seq, row.repeated)


# Membership in the snapshot of the page itself: what is said after a removal is on no page of the removed.
_MINE = "m.chat_id = (select p.chat_id from participants p where p.chat_id = %s and p.user_id = %s)"


async def page(
    db,
    actor: str,
    chat_id: str,
    *,
    before: str | None = None,
    after: str | None = None,
    around: str | None = None,
    limit: int = 50,
) -> dict:
    """A page of Messages, oldest first: the newest, or before, after or around a message of this chat.

    Raises `Refused`: not_found (the chat, or the message named), invalid_value (more than one of the three).
    """
    given = [(name, value) for name, value in (("before", before), ("after", after), ("around", around)) if value]
    if len(given) > 1:
        raise Refused("invalid_value", "Give only one of before, after and around.", given[1][0])
    where, anchor = given[0] if given else ("before", None)
    start = await db.row(
        """select (select seq from messages where id = %s and chat_id = p.chat_id) as seq
           from participants p where p.chat_id = %s and p.user_id = %s""",
        anchor,
        chat_id,
        actor,
    )
    if start is None:
        raise Refused("not_found")
    if anchor and start.seq is None:
        raise Refused("not_found", field=where)
    if where == "around":
        older = limit - limit // 2
        rows = await db.rows(
            f"""(select {COLUMNS} from messages m where {_MINE} and m.seq <= %s order by m.seq desc limit %s)
                union all
                (select {COLUMNS} from messages m where {_MINE} and m.seq > %s order by m.seq limit %s) order by seq""",
            chat_id,
            actor,
            start.seq,
            older,
            chat_id,
            actor,
            start.seq,
            limit - older,
        )
        return payloads.page([payloads.message_view(Message.of(row)) for row in rows], None)
    older = where == "before"
    compare, order = ("<", "desc") if older else (">", "asc")
    rows = await db.rows(
        f"""select {COLUMNS} from messages m where {_MINE} and (%s::bigint is null or m.seq {compare} %s)
            order by m.seq {order} limit %s""",
        chat_id,
        actor,
        start.seq,
        start.seq,
        limit + 1,
    )
    following = rows[limit - 1].id if len(rows) > limit else None
    rows = rows[:limit][::-1] if older else rows[:limit]
    return payloads.page([payloads.message_view(Message.of(row)) for row in rows], following)
