"""Chats: create, change, join, leave, delete, and a participant's list of them."""

from chat import payloads, reads
from chat.events import Event, Outcome, digest
from chat.message import Message
from errors import Refused


def _outcome(row) -> Outcome:
    events = [] if row.repeated else [Event(row.kind, row.id, row.event_seq, payloads.chat(row))]
    return Outcome(payloads.chat_answer(row), events, row.event_seq, row.repeated)


async def create(
    db,
    actor: str,
    op: str,
    chat_type: str,
    name: str | None,
    description: str | None,
    participant_ids: list[str],
    most: int,
) -> Outcome:
    """Create a chat of the actor and others; a direct chat that is there is returned as it is.

    Raises `Refused`: invalid_value, not_found (of a user), too_many_participants, idempotency_key_reused.
    """
    if chat_type == "direct" and (name is not None or description is not None):
        raise Refused(
            "invalid_value",
            "A direct chat has no name and no description.",
            "name" if name is not None else "description",
        )
    if chat_type == "direct" and (len(participant_ids) != 1 or participant_ids == [actor]):
        raise Refused("invalid_value", "A direct chat has exactly one other participant.", "participantIds")
    return _outcome(
        await db.row(
            "select * from create_chat(%s, %s, %s, %s, %s, %s, %s::uuid[], %s)",
            actor,
            op,
            digest("create", chat_type, name, description, sorted(participant_ids)),
            chat_type,
            name,
            description,
            participant_ids,
            most,
        )
    )


async def update(db, actor: str, op: str, chat_id: str, changed: dict) -> Outcome:
    """Rename or describe a group; `changed` holds `name`, `description` or both.

    Raises `Refused`: not_found, direct_chat_is_fixed, idempotency_key_reused.
    """
    return _outcome(
        await db.row(
            "select * from update_chat(%s, %s, %s, %s, %s, %s, %s, %s)",
            actor,
            op,
            digest("update", chat_id, changed),
            chat_id,
            "name" in changed,
            changed.get("name"),
            "description" in changed,
            changed.get("description"),
        )
    )


async def add(db, actor: str, op: str, chat_id: str, user_ids: list[str], most: int) -> Outcome:
    """Add people to a group; those who are in it already stay.

    Raises `Refused`: not_found, direct_chat_is_fixed, too_many_participants, idempotency_key_reused.
    """
    return _outcome(
        await db.row(
            "select * from add_participants(%s, %s, %s, %s, %s::uuid[], %s)",
            actor,
            op,
            digest("add", chat_id, sorted(user_ids)),
            chat_id,
            user_ids,
            most,
        )
    )


async def remove(db, actor: str, op: str, chat_id: str, user_id: str) -> Outcome:
    """Remove somebody from a group, or leave it. Raises `Refused`: not_found, not_the_owner, direct_chat_is_fixed, idempotency_key_reused."""
    return _outcome(
        await db.row(
            "select * from remove_participant(%s, %s, %s, %s, %s)",
            actor,
            op,
            digest("remove", chat_id, user_id),
            chat_id,
            user_id,
        )
    )


async def delete(db, actor: str, op: str, chat_id: str) -> Outcome:
    """Delete a chat for everybody. Raises `Refused`: not_found, not_the_owner, idempotency_key_reused."""
    return _outcome(
        await db.row("select * from delete_chat(%s, %s, %s, %s)", actor, op, digest("deleteChat", chat_id), chat_id)
    )


_VIEW = """
select c.id, c.name, c.description, c.chat_type, participant_ids(c.id) as participant_ids, c.created_at, c.updated_at, c.owner_id,
       c.head_seq, c.active_at, p.muted, unread,
       case when m.id is not null then to_json(message_of(m)) end as last_message
from participants p join chats c on c.id = p.chat_id cross join lateral unread_of(c.id, c.message_count, c.deleted_seq, p.read_seq, p.read_count)
left join lateral (select * from messages where chat_id = c.id and deleted_at is null order by seq desc limit 1) m on true
"""


def _view(row) -> dict:
    last = row.last_message and payloads.message_view(Message.of_json(row.last_message))
    return payloads.chat_view(row, last)


async def get(db, actor: str, chat_id: str) -> dict:
    """One ChatView with its watermarks. Raises `Refused`: not_found."""
    row = await db.row(_VIEW + "where p.user_id = %s and p.chat_id = %s", actor, chat_id)
    if row is None:
        raise Refused("not_found")
    return {**_view(row), "watermarks": await reads.watermarks(db, chat_id)}


async def page(db, actor: str, *, after: str | None = None, limit: int = 50) -> dict:
    """The actor's ChatViews, most recently active first. The cursor is a chat's id; its chat may have moved up since, not down.

    Raises `Refused`: invalid_value (the cursor is no chat of the actor's, or not any more).
    """
    rows = await db.rows(
        _VIEW
        + """where p.user_id = %s and (%s::uuid is null or (c.active_at, c.id) < (
                       select x.active_at, x.id from chats x join participants y on y.chat_id = x.id
                       where x.id = %s and y.user_id = p.user_id))
                   order by c.active_at desc, c.id desc limit %s""",
        actor,
        after,
        after,
        limit + 1,
    )
    if after and not rows and not await is_participant(db, actor, after):
        raise Refused("invalid_value", "This is no chat of yours. Begin the list again.", "after")
    items = [_view(row) for row in rows[:limit]]
    return payloads.page(items, items[-1]["id"] if len(rows) > limit else None)


async def is_participant(db, actor: str, chat_id: str) -> bool:
    return bool(await db.rows("select from participants where chat_id = %s and user_id = %s", chat_id, actor))
