"""Reading: moving the watermark, and who read a message when."""

from datetime import datetime

from chat import payloads
from chat.events import Event, Outcome
from chat.states import COMMIT_MARGIN, Asked, State, by_seq, seq_of
from chat.unread import count_event
from errors import Refused
from store.database import array


async def mark(db, actor: str, message_id: str) -> Outcome:
    """Read up to a message; answers when it was first read. Raises `Refused`: not_found."""
    row = await db.row("select * from mark_read(%s, %s)", actor, message_id)
    read = payloads.read(message_id, actor, row.read_at)
    events = []
    if row.moved:
        events = [
            Event("messageReadUpdated", row.chat_id, row.seq, read, {"head": row.head_seq}),
            count_event(row.chat_id, actor, row.unread, row.head_seq, row.read_seq),
        ]
    return Outcome(read, events, None, not row.moved)


async def of_message(db, actor: str, message_id: str, *, after: str | None = None, limit: int = 100) -> dict:
    """Who has read a message, and when first; its sender is left out. Ordered by user id, which is the cursor.

    Raises `Refused`: not_found.
    """
    message = await db.row(
        """select m.id, m.chat_id, m.seq, m.sender_id from messages m
           join participants p on p.chat_id = m.chat_id and p.user_id = %s where m.id = %s""",
        actor,
        message_id,
    )
    if message is None:
        raise Refused("not_found")
    rows = await db.rows(
        """select p.user_id, coalesce(first_read_at(p.chat_id, p.user_id, %s), p.read_at) as at
           from participants p
           where p.chat_id = (select chat_id from participants where chat_id = %s and user_id = %s)
             and p.read_seq >= %s and p.joined_seq < %s and p.user_id <> %s and p.read_at is not null
             and (%s::uuid is null or p.user_id > %s)
           order by p.user_id limit %s""",
        message.seq,
        message.chat_id,
        actor,
        message.seq,
        message.seq,
        message.sender_id,
        after,
        after,
        limit + 1,
    )
    items = [payloads.read(message_id, row.user_id, row.at) for row in rows[:limit]]
    return payloads.page(items, rows[limit - 1].user_id if len(rows) > limit else None)


async def watermarks(db, chat_id: str) -> list[dict]:
    """How far each participant of a chat has read."""
    rows = await db.rows(
        """select p.user_id, m.id as message_id, p.read_seq as seq, p.read_at
           from participants p left join messages m on p.read_at is not null and m.chat_id = p.chat_id and m.seq = p.read_seq
           where p.chat_id = %s order by p.user_id""",
        chat_id,
    )
    return [payloads.watermark(row) for row in rows]


async def since(db, chat_ids, moment: datetime, actor: str | None = None) -> list[Event]:
    """The watermarks of these chats that moved since then; some that moved shortly before come again.

    With an actor, only of the chats that the actor is in.
    """
    rows = await db.rows(
        """select distinct on (r.chat_id, r.user_id) r.chat_id, r.user_id, r.seq, r.at, m.id as message_id, c.head_seq
           from reads r join messages m on m.chat_id = r.chat_id and m.seq = r.seq join chats c on c.id = r.chat_id
           where r.chat_id = any(%s::uuid[]) and r.at > %s
             and (%s::uuid is null or exists (select from participants p where p.chat_id = r.chat_id and p.user_id = %s))
           order by r.chat_id, r.user_id, r.seq desc""",
        array(chat_ids),
        moment - COMMIT_MARGIN,
        actor,
        actor,
    )
    return [
        Event(
            "messageReadUpdated",
            row.chat_id,
            row.seq,
            payloads.read(row.message_id, row.user_id, row.at),
            {"head": row.head_seq},
        )
        for row in rows
    ]


async def _afresh(db, asked: Asked) -> list[Event]:
    """The watermarks that moved since the client last asked; none where it fetches them with each chat."""
    return await since(db, asked.chat_ids, asked.since, asked.user_id) if asked.since is not None else []


async def _moved(db, chat_ids, moment) -> list[Event]:
    return await since(db, chat_ids, moment)


STATE = State(key=("userId",), kept=seq_of, age=by_seq, afresh=_afresh, moved=_moved, moment="readAt")
