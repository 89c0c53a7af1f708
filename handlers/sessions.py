"""Who a request comes from: the token in its headers, and the live session of a token, remembered for two seconds."""

import hashlib
import time
from collections import OrderedDict

from chat.accounts import Accounts, Session

REMEMBER_SECONDS = 2.0  # so long another instance's sign-out may take to reach the requests here
REMEMBER_MOST = 10_000


class Sessions:
    """Sessions by token. One database round trip less for each request of a busy client; only hashes are kept."""

    def __init__(self, accounts: Accounts, *, clock=time.monotonic):
        self._accounts = accounts
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()
        self._forgotten = 0

    async def get(self, token: str | None, *, fresh: bool = False) -> Session | None:
        """The live session of a token, or None; `fresh`: as the database has it, not as it was remembered. Raises `Unavailable`."""
        if not token:
            return None
        key = _key(token)
        session, until = self._known.get(key, (None, 0.0))
        if session is not None and not fresh and self._clock() < until:
            self._known.move_to_end(key)
            return session
        forgotten = self._forgotten
        session = await self._accounts.session(token)
        # A sign-out that ran meanwhile must not be undone by what was read before it.
        if session is not None and forgotten == self._forgotten:
            self._known[key] = (session, self._clock() + REMEMBER_SECONDS)
            self._known.move_to_end(key)
            self._forget_old()
        return session

    def _forget_old(self):
        """What is remembered no more, and what is too much; the first have not been asked for longest."""
        while len(self._known) > REMEMBER_MOST or self._known and next(iter(self._known.values()))[1] < self._clock():
            self._known.popitem(last=False)

    def forget(self, token: str):
        """The session of this token has ended."""
        self._forgotten += 1
        self._known.pop(_key(token), None)


    def forget_ended(self, session_ids: list[str]):
        """These sessions have ended; their tokens are not known."""
        self._forgotten += 1
        ended = set(session_ids)
        for key in [key for key, (session, _) in self._known.items() if session.id in ended]:
            del self._known[key]


def bearer(authorization: str) -> str | None:
    """The token of an `Authorization` header; None for another scheme, which some proxy's own sign-in may use."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _key(token):
    return hashlib.sha256(token.encode()).digest()
