"""PostgreSQL: one pool, calls with a deadline, and the mapping of its failures to our errors.

Everything is autocommit: a mutation is one call of one function of `schema.sql`. Each of them is safe to repeat, so a call
whose connection broke is made once more here, and a client may repeat it with its key after that.
"""

import asyncio
import logging
import time
from contextlib import closing
from functools import partial

import orjson
import psycopg2
import psycopg2.extensions
import psycopg2.extras

from errors import Refused, Unavailable
from store import migrations
from store.batches import Batches
from store.connections import connect, libpq_url
from store.pool import Pool

REFUSED = "PA001"
REUSED_KEY = "chat_events_op"  # the unique key that meets where one Idempotency-Key is used in two chats at once

# What is asked here finds its rows by an index. A plan is kept while a table grows, and one that was made while it had a few rows would
# go on reading all of it; compiling a statement takes longer than any of them, and so does planning it anew for each value (but for a search).
PLANNING = "-c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan"

log = logging.getLogger("parley.db")

# Failures of the moment, by class of SQLSTATE: connection, resources, intervention, rollback; and a lock not had in time.
_TEMPORARY = ("08", "53", "57", "40", "55P03", "25006")
# What a call meets while a `migrate` gives its function, or one that it calls, another result: internal error, no such function or type,
# mismatch. The call was undone; made once more, it finds only new ones.
_REMADE = ("XX000", "42883", "42704", "42804", "0A000")
_BROKEN = (psycopg2.OperationalError, psycopg2.InterfaceError)


class Database:
    """One instance's PostgreSQL connections.

    `seconds` bounds one statement in the server; a call gets one second more for the way. Calls raise `Refused` (a rule
    said no) or `Unavailable` (no answer now).
    """

    def __init__(
        self, url: str, *, size: int = 8, seconds: float = 5.0, lock_seconds: float = 2.0, name: str = "parley"
    ):
        self._dsn = psycopg2.extensions.make_dsn(
            libpq_url(url),
            application_name=name,
            options=f"-c statement_timeout={int(seconds * 1000)} -c lock_timeout={int(lock_seconds * 1000)} -c timezone=UTC {PLANNING}",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=int(seconds * 1000) + 1000,
        )
        self._size = size
        self._deadline = seconds + 1
        self._pool = None
        self._batches = {}
        self.last_success = None  # time.time() of the last answer
        self.last_failure = None
        self.last_error = None

    async def open(self):
        # No connection yet: an instance can start, and answer 503, before its database does.
        _register_types()
        self._pool = Pool(self._dsn, self._size)

    async def close(self):
        """End every connection; calls from now on, and those still running, raise `Unavailable`."""
        if self._pool is not None:
            self._pool.close()

    @property
    def pool_use(self) -> tuple[int, int]:
        """Connections in use, and the most there may be."""
        return (self._pool.in_use if self._pool else 0, self._size)

    async def rows(self, sql: str, *parameters) -> list:
        """The rows as named tuples. Raises `Refused` or `Unavailable`."""
        deadline = time.monotonic() + self._deadline
        for last_try in (False, True):
            try:
                rows = await asyncio.wait_for(self._execute(sql, parameters), deadline - time.monotonic())
                self.last_success = time.time()
                return rows
            except psycopg2.Error as error:
                if refusal := _refusal(error):
                    self.last_success = time.time()
                    if last_try and refusal.code == "not_found":
                        # Nobody may know whether the first try was committed. If it was, who asks may be gone from the chat since.
                        raise Unavailable(
                            "not found, but it may have been there when it was asked for first"
                        ) from error
                    raise refusal from None
                if error.pgcode in _REMADE and not last_try:
                    continue
                if not isinstance(error, _BROKEN) and not (error.pgcode or "").startswith(_TEMPORARY):
                    raise
                # A pool that outlived a restart holds dead connections; the second try gets a new one. A deadlock's victim was rolled back.
                if last_try or error.pgcode is not None and not error.pgcode.startswith(("08", "57P01", "40P01")):
                    self._fail(error)
                    raise Unavailable(str(error).strip()) from error
            except (asyncio.TimeoutError, OSError) as error:
                self._fail(error)
                raise Unavailable("no answer from PostgreSQL in time") from error

    async def row(self, sql: str, *parameters):
        """The first row, or None."""
        rows = await self.rows(sql, *parameters)
        return rows[0] if rows else None

    def batches(self, run, run_alone) -> Batches:
        """The batches of one kind of call: `run(db, items)` and `run_alone(db, item)` are as `Batches` has them."""
        if run not in self._batches:
            self._batches[run] = Batches(partial(run, self), partial(run_alone, self), seconds=self._deadline)
        return self._batches[run]

    async def _execute(self, sql, parameters):
        cursor = await self._pool.acquire()
        try:
            await cursor.execute(sql, parameters)
            return await cursor.fetchall()
        except asyncio.CancelledError:
            # aiopg says "cancelled" for two things. Where the task was cancelled it has closed the connection;
            # where it is still open, the server gave up on the statement (statement_timeout).
            if cursor.connection.closed:
                raise
            self._fail(TimeoutError())
            raise Unavailable("statement_timeout") from None
        finally:
            self._pool.release(cursor)

    def _fail(self, error):
        self.last_failure, self.last_error = time.time(), type(error).__name__

    # The schema

    async def check_schema(self):
        """Raises `UnknownSchema` unless this code can run on the database's schema."""
        try:
            row = await self.row(migrations.STATE)
            state = row.state if row else {}
        except psycopg2.errors.UndefinedTable:
            state = None
        migrations.current().check(state)

    async def epoch(self) -> str:
        """The id of the database's history."""
        return (await self.row("select epoch from parley")).epoch


def new_epoch(url: str) -> str:
    """Begin a new history, as after restoring a backup: every client's cursors become void. Returns the new epoch."""
    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select to_regprocedure('forget_other_history()') is not null")
        if cursor.fetchone()[0]:  # a backup may be older than this function
            cursor.execute("select forget_other_history()")
        cursor.execute("update parley set epoch = gen_random_uuid() returning epoch")
        return cursor.fetchone()[0]


def _refusal(error) -> Refused | None:
    """The rule that a statement ran into, if that is why it failed."""
    if error.pgcode == REFUSED:
        return Refused(error.diag.message_primary, field=error.diag.column_name or None)
    if error.diag.constraint_name == REUSED_KEY:
        return Refused("idempotency_key_reused", field="Idempotency-Key")
    return None


def array(values) -> str:
    """UUIDs or numbers as the text of a PostgreSQL array, for a parameter with a cast: psycopg2 takes fifteen times as long to quote each of a list."""
    return "{" + ",".join(map(str, values)) + "}"


def _register_types():
    # Ids stay strings, arrays of them lists of strings, JSON is read by orjson.
    psycopg2.extensions.register_type(psycopg2.extensions.new_array_type((2951,), "UUID[]", psycopg2.STRING))
    psycopg2.extras.register_default_json(globally=True, loads=orjson.loads)
    psycopg2.extras.register_default_jsonb(globally=True, loads=orjson.loads)
