"""Who a request comes from: the token in its headers, and the live session of a token, remembered while the instance's checks find it alive."""

import hashlib
import time
from collections import OrderedDict

from chat.accounts import Accounts, Login

REMEMBER_SECONDS = 2.0  # after it was read
CONFIRMED_SECONDS = 4.0  # after a check that found it alive; they come every two seconds (HEAD_CHECK_SECONDS)
LONGEST_SECONDS = 30.0  # after it was read, whatever the checks say: whether it is an owner's is not asked by them
REMEMBER_MOST = 10_000


class SessionCache:
    """Sessions by token; only hashes are kept.

    A request of somebody who has just made one costs no round trip of its own to know them. Who writes now and then would pay it each time: so
    the comparison of the instance with the database, which looks whether the sockets' sessions go on, looks after these too (`ids`,
    `confirmed`). A sign-out on another instance is heard of over Redis, or by the next check.
    """

    def __init__(self, accounts: Accounts, *, clock=time.monotonic):
        self._accounts = accounts
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Login, float, float]] = (
            OrderedDict()
        )  # when it was read, and until when it is good
        self._forgotten = 0

    async def get(self, token: str | None, *, fresh: bool = False) -> Login | None:
        """The live session of a token, or None; `fresh`: as the database has it, not as it was remembered. Raises `Unavailable`."""
        if not token:
            return None
        key = _key(token)
        session, _, until = self._known.get(key, (None, 0.0, 0.0))
        if session is not None and not fresh and self._clock() < until:
            self._known.move_to_end(key)
            return session
        forgotten, now = self._forgotten, self._clock()
        session = await self._accounts.session(token)
        # A sign-out that ran meanwhile must not be undone by what was read before it.
        if session is not None and forgotten == self._forgotten:
            self._known[key] = (session, now, now + REMEMBER_SECONDS)
            self._known.move_to_end(key)
            self._forget_old()
        return session

    def _forget_old(self):
        """What is remembered no more, and what is too much; the first have not been asked for longest."""
        while len(self._known) > REMEMBER_MOST or self._known and next(iter(self._known.values()))[2] < self._clock():
            self._known.popitem(last=False)

    # What the node tells and asks, see `Node.remembered`

    def ids(self) -> set[str]:
        """The sessions that are remembered."""
        self._forget_old()
        return {session.id for session, _, _ in self._known.values()}

    def confirmed(self, ids: set[str], at: float):
        """The database was asked then, on the clock, and these sessions go on."""
        for key, (session, read_at, until) in self._known.items():
            if session.id in ids:
                self._known[key] = (
                    session,
                    read_at,
                    max(until, min(at + CONFIRMED_SECONDS, read_at + LONGEST_SECONDS)),
                )

    def forget_ended(self, session_ids):
        """These sessions have ended; their tokens are not known."""
        self._forgotten += 1
        ended = set(session_ids)
        for key in [key for key, (session, _, _) in self._known.items() if session.id in ended]:
            del self._known[key]

    def clear(self):
        """The database has another history."""
        self._forgotten += 1
        self._known.clear()


def bearer(authorization: str) -> str | None:
    """The token of an `Authorization` header; None for another scheme, which some proxy's own sign-in may use."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _key(token):
    return hashlib.sha256(token.encode()).digest()
