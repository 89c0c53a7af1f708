"""Accounts and sessions: passwords (argon2, off the event loop) and tokens (only their hashes are kept)."""

import asyncio
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chat import payloads
from chat.sign_in_attempts import AttemptLimits, SignInAttempts
from errors import Refused

TOUCH_SECONDS = 3600  # `last_used_at` and the expiry move at most this often


@dataclass(frozen=True, slots=True)
class Login:
    """Who a request comes from."""

    id: str
    user_id: str
    owner: bool = field(default=False, compare=False)  # of the server


class Accounts:
    """Sign-up, sign-in and sessions on one database.

    `hasher` is argon2's; `days` is how long an unused session lives; `open`: anybody may sign up, also without an invitation.
    """

    def __init__(
        self, db, limits: AttemptLimits, *, days: int = 30, open: bool = True, hasher: PasswordHasher | None = None
    ):
        self._db = db
        self._attempts = SignInAttempts(db, limits)
        self._days = days
        self.open = open
        self._hasher = hasher or PasswordHasher()
        # One at a time: a hash takes a core and 64 MiB for about 50 ms, and the event loop needs the other core.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        self._decoy = None
        self._inhabited = False

    def close(self):
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def inhabited(self) -> bool:
        """Whether there is an account already: the first one owns the server."""
        if not self._inhabited:
            self._inhabited = (await self._db.row("select exists (select from users) as yes")).yes
        return self._inhabited

    async def sign_up(
        self,
        op: str | None,
        username: str,
        password: str,
        display_name: str | None,
        address: str,
        user_agent: str,
        invitation: str | None = None,
    ) -> dict:
        """Create an account and sign it in; answers `{user, token}`. A retry with the same `op` gets the same token.

        `invitation` is an invitation's token. Raises `Refused`: username_taken, invitation_needed, invitation_invalid,
        too_many_attempts, idempotency_key_reused.
        """
        await self._attempts.take(address)
        hashed = await self._in_thread(self._hasher.hash, password)
        row = await self._db.row(
            "select * from create_user(%s, %s, %s, %s, %s, %s)",
            username,
            display_name or username,
            hashed,
            op and hashlib.sha256(op.encode()).digest(),
            self.open,
            invitation,
        )
        if row.password_hash != hashed and not await self._verifies(row.password_hash, password):
            raise Refused("idempotency_key_reused", field="Idempotency-Key")
        return await self._sign_in(row, op, "sign-up", user_agent)

    async def sign_in(self, op: str | None, username: str, password: str, address: str, user_agent: str) -> dict:
        """Answers `{user, token}`; a retry with the same `op` gets the same token.

        Raises `Refused`: wrong_credentials (whichever was wrong, after the same work), too_many_attempts, idempotency_key_reused.
        """
        # Per account *and* address: somebody else's guesses must not lock the owner out. The address alone bounds many accounts.
        attempt = await self._attempts.take(address, f"account:{username}@{address}")
        row = await self._db.row("select * from users where lower(username) = lower(%s)", username)
        if self._decoy is None:
            self._decoy = await self._in_thread(self._hasher.hash, secrets.token_hex())
        if not await self._verifies(row.password_hash if row else self._decoy, password) or row is None:
            raise Refused("wrong_credentials")
        await self._attempts.give_back(attempt)
        return await self._sign_in(row, op, "sign-in", user_agent)

    async def session(self, token: str) -> Login | None:
        """The live session of a token, or None."""
        row = await self._db.row(
            """select s.id, s.user_id, u.is_owner, s.last_used_at < now() - make_interval(secs => %s) as stale
               from sessions s join users u on u.id = s.user_id
               where s.token_hash = %s and s.revoked_at is null and s.expires_at > now()""",
            TOUCH_SECONDS,
            _hash(token),
        )
        if row is None:
            return None
        if row.stale:
            await self._db.rows(
                """update sessions set last_used_at = now(), expires_at = now() + make_interval(days => %s)
                                   where id = %s returning id""",
                self._days,
                row.id,
            )
        return Login(row.id, row.user_id, row.is_owner)

    async def change_password(self, session: Login, current: str, new: str, address: str) -> list[str]:
        """A new password for the session's user. Answers the ids of the sessions that this ended: all others of the user.

        Raises `Refused`: wrong_password, too_many_attempts.
        """
        attempt = await self._attempts.take(address, f"password:{session.user_id}")
        row = await self._db.row("select password_hash from users where id = %s", session.user_id)
        # Who repeats a change whose answer was lost has the new password already, and has proved to know it.
        if not (await self._verifies(row.password_hash, current) or await self._verifies(row.password_hash, new)):
            raise Refused("wrong_password", field="currentPassword")
        hashed = await self._in_thread(self._hasher.hash, new)
        ended = await self._db.rows(
            "select ended from change_password(%s, %s, %s, %s)", session.user_id, session.id, row.password_hash, hashed
        )
        await self._attempts.give_back(attempt)
        return [one.ended for one in ended]

    async def sign_out(self, token: str) -> Login:
        """End the session of a token, and answer it; ending it again changes nothing. Raises `Refused`: not_signed_in."""
        row = await self._db.row(
            "update sessions set revoked_at = coalesce(revoked_at, now_ms()) where token_hash = %s returning id, user_id",
            _hash(token),
        )
        if row is None:
            raise Refused("not_signed_in")
        return Login(row.id, row.user_id)

    async def forget_old(self):
        """Housekeeping: drop sessions and invitations that ended a month ago and attempts outside every window."""
        await self._db.rows(
            "delete from sessions where least(revoked_at, expires_at) < now() - interval '30 days' returning 1"
        )
        await self._db.rows(
            "delete from invitations where least(revoked_at, expires_at) < now() - interval '30 days' returning 1"
        )
        await self._attempts.forget_old()

    async def _sign_in(self, row, op, purpose, user_agent):
        token = secrets.token_urlsafe(32)
        if op:
            key = (await self._db.row("select encode(token_key, 'hex') as key from parley")).key
            token = hmac.new(bytes.fromhex(key), f"{purpose}:{row.id}:{op}".encode(), hashlib.sha256).hexdigest()
        await self._db.row(
            "select * from create_session(%s, %s, %s, %s, %s)",
            row.id,
            _hash(token),
            self._days,
            user_agent[:200],
            row.password_hash,
        )
        return {"user": payloads.me(row), "token": token}

    async def _verifies(self, hashed, password):
        try:
            return await self._in_thread(self._hasher.verify, hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _hash(token):
    return hashlib.sha256(token.encode()).digest()
