"""PostgreSQL connections of one instance: opened when they are needed, kept, and lent to one call at a time.

aiopg gives them to the event loop. Its own pool is not used: for each call it takes a lock, sets a timer and starts a task to wake whoever may
wait, and it connects while it holds that lock, so that whoever's time is up could not leave. Nor is there a new cursor for each call.
Both together were half of what a statement cost an instance.
"""

import asyncio

import aiopg
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extras import NamedTupleCursor

from errors import Unavailable


class Pool:
    """Up to `size` connections, each lent as the one cursor that it has.

    Nothing here has a timeout: a call whose time is up is cancelled, and aiopg ends the connection of a cancelled call, because the server
    goes on with its statement and the next call would get its rows.
    """

    def __init__(self, dsn: str, size: int):
        self._dsn = dsn
        self._turns = asyncio.Semaphore(size)
        self._open: set[aiopg.Cursor] = set()  # all cursors
        self._idle: list[aiopg.Cursor] = []  # those that nobody has; the one given back last is lent first
        self._closed = False
        self.in_use = 0

    async def acquire(self) -> aiopg.Cursor:
        """A cursor, once there is one. Raises `Unavailable` where the pool is closed, and psycopg2's errors."""
        await self._turns.acquire()
        self.in_use += 1
        try:
            return self._kept() or await self._connect()
        except BaseException:
            self._leave()
            raise

    def release(self, cursor: aiopg.Cursor):
        """Give it back. Autocommit connections are idle after a statement; one that is not was interrupted, and ends."""
        self._leave()
        if cursor.connection.closed:
            self._open.discard(cursor)
        elif self._closed or cursor.connection.raw.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            self._end(cursor)
        else:
            self._idle.append(cursor)

    def close(self):
        """End every connection, those in use as well, and those that are being opened as soon as they are."""
        self._closed = True
        self._idle.clear()
        for cursor in list(self._open):
            self._end(cursor)

    def _kept(self):
        while self._idle:
            cursor = self._idle.pop()
            if not cursor.connection.closed:
                return cursor
            self._open.discard(cursor)  # the server ended it while nobody used it
        return None

    async def _connect(self):
        self._refuse_if_closed()
        connection = await aiopg.connect(
            self._dsn,
            timeout=None,  # type: ignore[arg-type]  # aiopg says float, and takes None for no limit
            enable_json=False,
            enable_hstore=False,
            enable_uuid=False,
            cursor_factory=NamedTupleCursor,
        )
        cursor = await connection.cursor()
        self._open.add(cursor)
        self._refuse_if_closed()
        return cursor

    def _refuse_if_closed(self):
        if self._closed:
            self.close()  # also what was being opened meanwhile
            raise Unavailable("the pool is closed")

    def _end(self, cursor):
        self._open.discard(cursor)
        # Once only: aiopg would take the number of a socket that is gone for the one that has it now.
        if not cursor.connection.closed:
            cursor.connection.close()

    def _leave(self):
        self.in_use -= 1
        self._turns.release()
