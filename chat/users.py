"""The people of this server, as others may see them."""

from chat import payloads
from errors import Refused


async def get(db, user_id: str) -> dict:
    """One User. Raises `Refused`: not_found."""
    row = await db.row("select id, username, display_name, created_at from users where id = %s", user_id)
    if row is None:
        raise Refused("not_found")
    return payloads.user(row)


async def me(db, user_id: str) -> dict:
    """One User as they see themselves."""
    return payloads.me(
        await db.row("select id, username, display_name, is_owner, created_at from users where id = %s", user_id)
    )


async def rename(db, user_id: str, display_name: str) -> dict:
    """Change how somebody is called; answers them as they see themselves. Others see it when they next ask."""
    return payloads.me(
        await db.row(
            "update users set display_name = %s where id = %s returning id, username, display_name, is_owner, created_at",
            display_name,
            user_id,
        )
    )


async def search(db, query: str, *, after: str | None = None, limit: int = 50) -> dict:
    """Users whose username starts with `query` or whose display name holds it, by username; all where it is empty."""
    pattern = query.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    rows = await db.rows(
        """select id, username, display_name, created_at from users
           where (lower(username) like lower(%s) or lower(display_name) like lower(%s))
             and (%s::uuid is null or lower(username) > (select lower(username) from users where id = %s))
           order by lower(username) limit %s""",
        pattern + "%",
        "%" + pattern + "%",
        after,
        after,
        limit + 1,
    )
    items = [payloads.user(row) for row in rows[:limit]]
    return payloads.page(items, items[-1]["id"] if len(rows) > limit else None)
