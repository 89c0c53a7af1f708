"""A user's own sessions, to look at and to end: those of browsers and the bearer tokens of programs alike."""

from chat import payloads
from chat.accounts import Login
from errors import Refused


async def live(db, session: Login, *, after: str | None = None, limit: int = 50) -> dict:
    """The sessions of the session's user that have not ended, the newest first; `current` is the one that asks."""
    rows = await db.rows(
        """select id, user_agent, created_at, last_used_at from sessions s
           where user_id = %s and revoked_at is null and expires_at > now()
             and (%s::uuid is null or (created_at, id) < (select created_at, id from sessions where id = %s and user_id = s.user_id))
           order by created_at desc, id desc limit %s""",
        session.user_id,
        after,
        after,
        limit + 1,
    )
    items = [payloads.session(row, session.id) for row in rows[:limit]]
    return payloads.page(items, items[-1]["id"] if len(rows) > limit else None)


async def end(db, session: Login, session_id: str):
    """End one of the user's sessions; ending it again changes nothing. Raises `Refused`: not_found."""
    if not await db.rows(
        "update sessions set revoked_at = coalesce(revoked_at, now_ms()) where id = %s and user_id = %s returning id",
        session_id,
        session.user_id,
    ):
        raise Refused("not_found")


async def end_others(db, session: Login) -> list[str]:
    """End all of the user's sessions but this one; answers the ids of those that this ended."""
    rows = await db.rows(
        "update sessions set revoked_at = now_ms() where user_id = %s and id <> %s and revoked_at is null returning id",
        session.user_id,
        session.id,
    )
    return [row.id for row in rows]
