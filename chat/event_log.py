"""The log of a chat's events: pages of it as they read today, and pruning."""

from dataclasses import dataclass

from chat import payloads
from chat.channels import ABOUT_CHATS, LOGGED
from chat.events import Event
from chat.message import Message
from store.database import array


@dataclass(slots=True)
class Log:
    """One chat's part of a replay, all of one snapshot: its events after a position, its bounds, and who is in it."""

    chat_id: str
    head: int
    floor: int
    asked: frozenset[str]  # users
    members: frozenset[str]  # those of them who are in the chat
    events: list[Event]


_REPLAY = """
with asked as (
    select chat_id, after from unnest(%s::uuid[], %s::bigint[]) as a (chat_id, after)
), page as (
    select e.*, min(e.seq) over (partition by e.chat_id) = e.seq as is_first,
           max(e.seq) filter (where e.message_id is null) over (partition by e.chat_id) = e.seq as is_last_of_chat
    from asked a cross join lateral (
        select chat_id, seq, kind, message_id from chat_events where chat_id = a.chat_id and seq > a.after order by seq limit %s
    ) e
)
select c.id, c.head_seq, c.floor_seq, e.seq as event_seq, e.kind, to_json(message_of(m)) as message,
       c.name, c.description, c.chat_type, c.created_at, c.updated_at,
       -- Long lists once: who is in the chat on its first row, the ids of the chat's object on its last event about the chat.
       case when e.seq is null or e.is_first then array(
           select user_id from participants p where p.chat_id = c.id and p.user_id = any(%s::uuid[])) end as members,
       case when e.is_last_of_chat then participant_ids(c.id) end as participant_ids
from asked a join chats c on c.id = a.chat_id left join page e on e.chat_id = c.id left join messages m on m.id = e.message_id
order by c.id, e.seq
"""


async def replay(db, positions: dict[str, int], users, limit: int) -> dict[str, Log]:
    """Up to `limit` events of each chat after its position, as they read today, and which of `users` are in it.

    One statement, so one snapshot: what it says of membership holds for every event in it. Chats that do not exist are left out.
    """
    asked = frozenset(users)
    rows = await db.rows(_REPLAY, array(positions), array(positions.values()), limit, array(asked))
    logs = {}
    chat_ids = {row.id: row.participant_ids for row in rows if row.participant_ids is not None}
    for row in rows:
        if row.members is not None:
            logs[row.id] = Log(row.id, row.head_seq, row.floor_seq, asked, frozenset(row.members), [])
        if row.event_seq is not None:
            logs[row.id].events.append(_rendered(row, chat_ids.get(row.id)))
    return logs


def _rendered(row, participant_ids) -> Event:
    """A pointer of the log as it reads today. A deleted message has been added, and is a tombstone; it has not been edited."""
    if row.kind not in LOGGED:
        # Of a kind that only another release knows: its seq counts, and its content is nobody's here.
        return Event(row.kind, row.id, row.event_seq, {})
    if row.kind in ABOUT_CHATS:
        data = payloads.chat(row._replace(participant_ids=participant_ids))
        return Event(row.kind, row.id, row.event_seq, data)
    message = Message.of_json(row.message)
    if row.kind == "messageDeleted" or row.kind == "messageUpdated" and message.deleted_at is not None:
        return Event("messageDeleted", row.id, row.event_seq, payloads.deleted_message(message))
    return Event(row.kind, row.id, row.event_seq, payloads.message(message))


async def prune(db, days: int, limit: int = 5000) -> int:
    """Forget up to `limit` events older than `days`; the number forgotten. Cursors below what is left get a reset."""
    return (await db.row("select prune_events(now() - make_interval(days => %s), %s) as n", days, limit)).n
