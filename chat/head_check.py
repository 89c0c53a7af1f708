"""The head check: an instance's positions, memberships and sessions compared with PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime, timezone

from store.database import array


@dataclass(slots=True)
class Changes:
    """What differs from what an instance knows: newer heads, users whose chats changed, sessions that ended, the epoch.

    `ran_back`: a head is below a position, so the database was restored from a backup.
    """

    epoch: str
    at: datetime
    ran_back: bool
    heads: dict[str, int]
    users: set[str]
    sessions: set[str]


async def changes(db, heads: dict[str, int], versions: dict[str, int], sessions) -> Changes:
    """Compare an instance's positions, membership versions and session ids with the truth; one statement, only differences answer."""
    rows = await db.rows(
        """select 'epoch' as what, epoch as id, (extract(epoch from clock_timestamp()) * 1000)::bigint as value from parley
           union all
           select 'chat', c.id, c.head_seq from unnest(%s::uuid[], %s::bigint[]) as k (id, seq) join chats c on c.id = k.id and c.head_seq <> k.seq
           union all
           select 'user', u.id, 0 from unnest(%s::uuid[], %s::bigint[]) as k (id, version) join users u on u.id = k.id and u.membership_version <> k.version
           union all
           select 'session', s.id, 0 from sessions s where s.id = any(%s::uuid[]) and (s.revoked_at is not null or s.expires_at < now())""",
        array(heads),
        array(heads.values()),
        array(versions),
        array(versions.values()),
        array(sessions),
    )
    found: dict[str, dict[str, int]] = {"chat": {}, "user": {}, "session": {}, "epoch": {}}
    for row in rows:
        found[row.what][row.id] = row.value
    ran_back = any(head < heads[chat_id] for chat_id, head in found["chat"].items())
    ((epoch, milliseconds),) = found["epoch"].items()
    at = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return Changes(epoch, at, ran_back, found["chat"], set(found["user"]), set(found["session"]))
