"""Invitations to sign up on a server that not everybody may join. Taking a use of one is part of `create_user`."""

import secrets

from chat import payloads
from errors import Refused


async def create(db, actor: str, op: str, days: int, uses: int) -> dict:
    """An Invitation that is valid for so many days and accounts. Raises `Refused`: idempotency_key_reused."""
    token = secrets.token_urlsafe(16)
    return payloads.invitation(
        await db.row("select * from create_invitation(%s, %s, %s, %s, %s)", actor, op, token, days, uses)
    )


async def listed(db, *, after: str | None = None, limit: int = 50) -> dict:
    """Invitations that were not withdrawn, the newest first; those that have expired or been used up stay for a month."""
    rows = await db.rows(
        """select * from invitations where revoked_at is null
             and (%s::uuid is null or (created_at, id) < (select created_at, id from invitations where id = %s))
           order by created_at desc, id desc limit %s""",
        after,
        after,
        limit + 1,
    )
    items = [payloads.invitation(row) for row in rows[:limit]]
    return payloads.page(items, items[-1]["id"] if len(rows) > limit else None)


async def revoke(db, invitation_id: str):
    """Withdraw an invitation; doing it again changes nothing. Raises `Refused`: not_found."""
    if not await db.rows(
        "update invitations set revoked_at = coalesce(revoked_at, now_ms()) where id = %s returning id", invitation_id
    ):
        raise Refused("not_found")


async def state(db, token: str) -> tuple[str | None, str | None]:
    """What a link is worth, and the display name of who made it.

    `valid`, `expired`, `revoked` or `used`; nothing of either where there is no such invitation.
    """
    row = await db.row(
        """select i.revoked_at is not null as revoked, i.expires_at <= now() as expired, i.uses >= i.max_uses as used, u.display_name
           from invitations i join users u on u.id = i.created_by where i.token = %s""",
        token,
    )
    if row is None:
        return None, None
    ended = next((name for name in ("revoked", "expired", "used") if getattr(row, name)), None)
    return ended or "valid", row.display_name
