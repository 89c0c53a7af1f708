"""Where users stand in their chats: bounds, unread counts and watermarks, each answer of one snapshot."""

from dataclasses import dataclass
from datetime import datetime

from store.database import array


@dataclass(slots=True)
class Standing:
    """Where one user stands in one chat: the chat's bounds, the user's unread count, the watermark it was counted at, and the event that let them in."""

    head: int
    floor: int
    unread: int
    read_seq: int
    joined_seq: int


@dataclass(slots=True)
class Membership:
    """All the chats of one user in one snapshot, with what tells a later change of them."""

    version: int
    epoch: str
    at: datetime
    chats: dict[str, Standing]


async def membership(db, user_id: str) -> Membership:
    """The user's chats as they stand now; one statement."""
    return (await memberships(db, [user_id]))[user_id]


async def memberships(db, user_ids) -> dict[str, Membership]:
    """The same of several users, in one snapshot."""
    rows = await db.rows(
        """select u.id as user_id, u.membership_version, (select epoch from parley) as epoch, clock_timestamp() as at, c.id, c.head_seq, c.floor_seq, p.read_seq,
                  p.joined_seq, unread
           from users u left join (participants p join chats c on c.id = p.chat_id
                      cross join lateral unread_of(c.id, c.message_count, c.deleted_seq, p.read_seq, p.read_count)) on p.user_id = u.id
           where u.id = any(%s::uuid[])""",
        array(user_ids),
    )
    found = {}
    for row in rows:
        if row.user_id not in found:
            found[row.user_id] = Membership(row.membership_version, row.epoch, row.at, {})
        if row.id is not None:
            found[row.user_id].chats[row.id] = _standing(row)
    return found


async def standings(db, chat_id: str, user_ids) -> dict[str, Standing]:
    """Where those of these users stand who are in the chat."""
    rows = await db.rows(
        """select p.user_id, c.head_seq, c.floor_seq, p.read_seq, p.joined_seq, unread
           from participants p join chats c on c.id = p.chat_id cross join lateral unread_of(c.id, c.message_count, c.deleted_seq, p.read_seq, p.read_count)
           where p.chat_id = %s and p.user_id = any(%s::uuid[])""",
        chat_id,
        array(user_ids),
    )
    return {row.user_id: _standing(row) for row in rows}


def _standing(row):
    return Standing(row.head_seq, row.floor_seq, row.unread, row.read_seq, row.joined_seq)
