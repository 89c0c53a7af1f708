"""The two Redis connections of an instance: one publishes, one subscribes. Neither's failure touches the other.

| | publisher | subscriber |
| --- | --- | --- |
| on silence | a command unanswered for 1 s is a failure | none: silence is normal; the canary tells a dead Redis from a quiet one |
| on failure | one retry on a new connection, then down: publishing fails at once and nothing is queued | reads no more |
| coming back | for ever, with `backoff` | for ever, with `backoff`, and subscribes again |

Both speak RESP2, which is 2–3 times cheaper for pub/sub. `endpoint` connects them and signs in, and `receiver` reads what Redis says.
"""

import asyncio
import logging
import time
from typing import Any

from hiredis import pack_command
from redis.exceptions import RedisError

import metrics
from realtime.bus import backoff
from realtime.bus.channel_names import channel_of
from realtime.bus.endpoint import Endpoint
from realtime.bus.receiver import Receiver, RedisConnection, Replies
from realtime.tasks import ended

logger = logging.getLogger("parley.redis")

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 1.0
MAX_PENDING = 10_000  # publishes waiting for the round trip under way
FAILURES = (RedisError, OSError, asyncio.TimeoutError, EOFError)


class Link:
    """One connection that is kept up: its state, its log lines, its reconnection. Subclasses say what it does while it is up."""

    role = "link"

    def __init__(self, url: str, *, verify_tls: bool = True, wait=backoff.delay, on_down=lambda: None):
        """`on_down()` is called whenever the connection is lost. Raises `ValueError` where the URL cannot be used."""
        self._endpoint = Endpoint(url, verify_tls=verify_tls)
        self._wait = wait
        self._on_down = on_down
        self._connection: Any = None
        self._task: asyncio.Task | None = None
        self.state = "connecting"
        self.since = time.time()
        self.attempts = 0  # since it was last up
        self.last_error: str | None = None
        metrics.redis_up.labels(self.role).set(0)

    def start(self):
        self._task = asyncio.ensure_future(self._keep_up())

    async def stop(self):
        if self._task is not None:
            await ended(self._task)
        self._drop()

    def report(self) -> dict:
        """For /healthz: state, since when (seconds since 1970), attempts to reconnect, last error."""
        return {"state": self.state, "since": self.since, "attempts": self.attempts, "lastError": self.last_error}

    @property
    def up(self) -> bool:
        return self.state == "connected"

    async def _keep_up(self):
        while True:
            try:
                await asyncio.wait_for(self._connect(), CONNECT_SECONDS)
                self._enter("connected")
                self.attempts = 0
                logger.info("%s: connected", self.role)
                await self._use()
            except FAILURES as error:
                self.last_error = type(error).__name__
                if self.up:
                    logger.warning("%s: lost (%s)", self.role, _short(error))
            except Exception as error:
                # Never expected; but a link that gives up would be worse than one that says so and goes on.
                self.last_error = type(error).__name__
                logger.exception("%s: failed", self.role)
            finally:
                self._drop()
            self.attempts += 1
            self._enter("reconnecting")
            pause = self._wait(self.attempts)
            metrics.redis_reconnects.labels(self.role).inc()
            # Every attempt at first, then every tenth: an outage of an hour is not 2,000 lines.
            level = logging.INFO if self.attempts <= 10 or self.attempts % 10 == 0 else logging.DEBUG
            logger.log(level, "%s: reconnecting, attempt %d in %d ms", self.role, self.attempts, pause * 1000)
            await asyncio.sleep(pause)

    async def _connect(self):
        connection = self._make()
        await self._endpoint.connect(connection)
        self._connection = connection

    def _drop(self):
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _make(self) -> RedisConnection:
        """A connection that is still to be connected."""
        raise NotImplementedError

    async def _use(self):
        """Work until the connection fails, and raise that failure."""
        raise NotImplementedError

    def _enter(self, state):
        if state != self.state:
            was_up = self.up
            self.state, self.since = state, time.time()
            metrics.redis_up.labels(self.role).set(self.up)
            if was_up:
                self._on_down()


class Publisher(Link):
    """Publishes in order, and at once where nothing is under way. What comes while a round trip is leaves with the next one."""

    role = "publisher"

    def __init__(self, url: str, **options):
        super().__init__(url, **options)
        self.trace: Any = None  # see realtime/activity/trace.py
        self._pending: list[tuple[str, bytes]] = []
        self._under_way: list[tuple[str, bytes]] = []
        self._tried_again = False  # with a new connection, and nothing has been answered since

    def publish(self, batch: list[tuple[str, bytes]]) -> bool:
        """Hand `(address, payload)`s over; False, and nothing is kept, while Redis is down or too far behind."""
        if not self.up or len(self._pending) > MAX_PENDING:
            self._failed(batch)
            return False
        self._pending += batch
        if self._pending and not self._under_way:
            self._leave()
        return True

    def _leave(self):
        self._under_way, self._pending = self._pending, []
        self._say()

    def _say(self):
        if self._connection is not None:  # else it leaves with the next one
            self._connection.say(b"".join([_publish(*each) for each in self._under_way]), len(self._under_way))

    def _arrived(self):
        batch, self._under_way, self._tried_again = self._under_way, [], False
        for address, _ in batch:
            metrics.events_published.counts[channel_of(address)] += 1
        if self.trace is not None:
            self.trace.published(batch, True)
        if self._pending:
            self._leave()

    def _make(self):
        return Replies(COMMAND_SECONDS, self._arrived)

    async def _connect(self):
        await super()._connect()
        # At once, before anybody else can say something on this connection.
        if self._under_way:
            self._say()

    async def _use(self):
        self._tried_again = False
        try:
            while True:
                try:
                    await self._connection.end()
                except FAILURES:
                    if self._tried_again:
                        raise
                    await self._try_again()
        finally:
            lost, self._under_way, self._pending = self._under_way + self._pending, [], []
            self._failed(lost)

    async def _try_again(self):
        # Once, on a new connection: a restarted Redis or a dropped idle connection. What is under way leaves with it again; subscribers drop
        # what they get twice.
        self._tried_again = True
        self._drop()
        await asyncio.wait_for(self._connect(), COMMAND_SECONDS)

    def _failed(self, batch):
        for address, _ in batch:
            metrics.publish_failures.counts[channel_of(address)] += 1
        if self.trace is not None:
            self.trace.published(batch, False)


class Subscriber(Link):
    """Hears the channels, and those of `change`, and hands each message to `heard(channel, payload)`.

    `on_up()` is called whenever it hears (again).
    """

    role = "subscriber"

    def __init__(self, url: str, channels, heard, on_up, **options):
        super().__init__(url, **options)
        self._channels = {name.encode(): name for name in channels}
        self._heard = heard
        self._on_up = on_up

    def rebuild(self, why: str):
        """Begin anew with another connection."""
        logger.warning("subscriber: rebuilt (%s)", why)
        self._enter("reconnecting")
        # `_use` finds it closed, and a new one is connected.
        if self._connection is not None:
            self._connection.close()

    async def change(self, add: list[str], drop: list[str]):
        """Hear these channels too, and those no more; one change at a time. Returns when Redis has acknowledged all of it.

        Raises one of `FAILURES` where the connection is lost before; a new one hears none of them.
        """
        if not self.up:
            raise ConnectionError("the subscriber is down")
        await self._connection.change(add, drop)

    def _make(self):
        return Receiver(self._channels, self._heard)

    async def _connect(self):
        await super()._connect()
        await self._connection.change(self._channels.values())

    async def _use(self):
        self._on_up()
        await self._connection.end()


def _publish(address: str, payload: bytes) -> bytes:
    """A command, as it leaves."""
    return pack_command(("PUBLISH", address, payload))  # type: ignore[arg-type]  # it takes any number of words


def _short(error):
    return f"{type(error).__name__}: {error}"[:200]
