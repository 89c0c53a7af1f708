"""A consumer's positions and leases in PostgreSQL. The rules are functions of `schema.sql`, where they are told."""

from dataclasses import dataclass
from datetime import datetime

from store.database import array


@dataclass(slots=True)
class Claim:
    """Chats leased to who asked, with their positions; and chats that are owed work and that somebody else works on."""

    lease: datetime | None
    positions: dict[str, int]
    taken: list[str]


async def claim(db, consumer, chat_ids, seconds: float) -> Claim:
    """Lease those of these chats that are owed work and are free. Who is done with a lease settles or returns it; after `seconds` it ends by itself."""
    rows = await db.rows(
        "select * from claim_chats(%s, %s::uuid[], %s, %s)",
        consumer.name,
        array(chat_ids),
        consumer.everywhere,
        seconds,
    )
    leased = {row.chat_id: row.position for row in rows if row.lease is not None}
    lease = next((row.lease for row in rows if row.lease is not None), None)
    return Claim(lease, leased, [row.chat_id for row in rows if row.lease is None])


async def settle(db, consumer, positions: dict[str, int], lease: datetime) -> list[str]:
    """The work is done up to these positions. Answers the chats that are owed more."""
    chat_ids = sorted(positions)  # in the order in which all lock them
    rows = await db.rows(
        "select chat_id from settle_chats(%s, %s::uuid[], %s::bigint[], %s)",
        consumer.name,
        array(chat_ids),
        array(positions[chat_id] for chat_id in chat_ids),
        lease,
    )
    return [row.chat_id for row in rows]


async def fail(db, consumer, chat_ids, lease: datetime, most_seconds: float):
    """The work failed: these chats are due again in 1, 2, 4 … up to so many seconds."""
    await _return(db, consumer, chat_ids, lease, most_seconds)


async def give_up(db, consumer, chat_ids, lease: datetime):
    """The work was not done: any instance may take these chats at once."""
    await _return(db, consumer, chat_ids, lease, 0)


async def _return(db, consumer, chat_ids, lease, most_seconds):
    await db.rows(
        "select return_chats(%s, %s::uuid[], %s, %s)", consumer.name, array(sorted(chat_ids)), lease, most_seconds
    )


async def find_missed(db, consumer, *, every: float, grace: float, page: int) -> bool:
    """Make chats due whose work was missed. Answers whether there is more to look at now."""
    row = await db.row(
        "select find_missed(%s, %s, %s, %s, %s) as more", consumer.name, consumer.everywhere, every, grace, page
    )
    return row.more


async def due(db, consumer, limit: int) -> list[str]:
    """Up to so many of the chats that are due, the longest first."""
    rows = await db.rows(
        "select chat_id from consumer_positions where consumer = %s and due_at <= now() order by due_at limit %s",
        consumer.name,
        limit,
    )
    return [row.chat_id for row in rows]


async def backlog(db, consumer) -> tuple[int, float]:
    """How many chats are due, now or after a pause, and the age in seconds of the oldest event that they are owed the work of."""
    row = await db.row(
        """select count(*) as chats, coalesce(extract(epoch from now() - min(owed_since)), 0)::float as age
           from consumer_positions where consumer = %s and due_at is not null""",
        consumer.name,
    )
    return row.chats, max(row.age, 0.0)
