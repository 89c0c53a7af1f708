"""Unread counts: always derived from the messages and the watermark, never counted up. Also which of two counts is the newer."""

from chat import payloads
from chat.events import Event
from chat.memberships import Standing
from chat.states import Age, Asked, State
from errors import Refused
from store.database import array


def count_events(chat_id: str, counts) -> list[Event]:
    """`unreadCountUpdated` for each `[userId, unread, headSeq, readSeq]`."""
    return [count_event(chat_id, user_id, unread, head, read_seq) for user_id, unread, head, read_seq in counts]


def count_event(chat_id: str, user_id: str, unread: int, head: int, read_seq: int) -> Event:
    return Event("unreadCountUpdated", chat_id, head, payloads.unread(chat_id, user_id, unread), {"readSeq": read_seq})


def compare(known: tuple[int, int] | None, found: tuple[int, int]) -> Age:
    """Whether the count at `found` (head, watermark) replaces the one at `known`.

    A count follows from the two numbers, and neither runs back. If one grew and the other shrank, each of the two counts misses
    something that the other saw, and only a fresh one is right.
    """
    if known is None or known[0] <= found[0] and known[1] <= found[1] and known != found:
        return Age.NEWER
    if found[0] <= known[0] and found[1] <= known[1]:
        return Age.STALE
    return Age.UNCLEAR


def standing_event(user_id: str, chat_id: str, standing: Standing) -> Event:
    """A user's count as it was read together with where they stand."""
    return count_event(chat_id, user_id, standing.unread, standing.head, standing.read_seq)


def _age(known: Event | None, event: Event) -> Age:
    before = None if known is None else (known.seq, known.meta["readSeq"])
    return compare(before, (event.seq, event.meta["readSeq"]))


async def _afresh(db, asked: Asked) -> list[Event]:
    """The counts above zero, and those of chats of which something was missed."""
    return [
        standing_event(asked.user_id, chat_id, standing)
        for chat_id, standing in asked.membership.chats.items()
        if standing.unread or chat_id in asked.missed
    ]


# A count that was lost on its way is worked out after the event that it goes with, so nothing tells which ones moved.
STATE = State(key=("userId",), kept=lambda event: event, age=_age, afresh=_afresh)


async def counts(db, chat_id: str, users) -> list[Event]:
    """The present counts of these participants of a chat."""
    rows = await db.rows("select * from unread_counts(%s, %s::uuid[], null)", chat_id, array(users))
    return [count_event(chat_id, row.user_id, row.unread, row.head_seq, row.read_seq) for row in rows]


async def of_chat(db, actor: str, chat_id: str) -> dict:
    """The actor's unread count in one chat. Raises `Refused`: not_found."""
    row = await db.row("select * from unread_counts(%s, %s::uuid[], null)", chat_id, [actor])
    if row is None:
        raise Refused("not_found")
    return payloads.unread(chat_id, actor, row.unread)


async def of_user(db, actor: str) -> dict:
    """The actor's chats with unread messages, and their sum as `total`."""
    rows = await db.rows(
        """select c.id, unread
           from participants p join chats c on c.id = p.chat_id cross join lateral unread_of(c.id, c.message_count, c.deleted_seq, p.read_seq, p.read_count)
           where p.user_id = %s and unread > 0 order by c.id""",
        actor,
    )
    items = [payloads.unread(row.id, actor, row.unread) for row in rows]
    return {**payloads.page(items, None), "total": sum(row.unread for row in rows)}
