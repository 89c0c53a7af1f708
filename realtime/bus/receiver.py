"""The two Redis connections on the wire: RESP2, read by hiredis as the bytes come.

redis-py reads through a stream, a task that it wakes, and a coroutine for each message: 9 µs for one, and where thirty come together still
2.7 for each. A protocol of asyncio that reads into one buffer, and takes everything that hiredis finds in it, needs 2.
"""

import asyncio
from typing import Any

from hiredis import Reader, pack_command
from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, ResponseError

from realtime.bus.channel_names import channel_of

READ_BYTES = 128 * 1024  # of what others publish; of a storm of it, reading twice as much at a time saves 7 %
REPLY_BYTES = 4 * 1024
_NO_MORE = object()  # has been parsed
_REFUSALS = {"NOAUTH": AuthenticationError, "WRONGPASS": AuthenticationError, "NOPERM": NoPermissionError}


def _refusal(text: str) -> Exception:
    """What Redis refuses with, whose first word says what kind it is."""
    return _REFUSALS.get(text.partition(" ")[0], ResponseError)(text)


class RedisConnection(asyncio.BufferedProtocol):
    """One connection. What is read while nothing is asked with `ask` goes to a subclass's `take`. `Endpoint.connect` connects it."""

    def __init__(self, most: int = REPLY_BYTES):
        """Up to `most` bytes are read at a time."""
        self._reader = Reader(protocolError=InvalidResponse, replyError=_refusal, notEnoughData=_NO_MORE)
        self._transport: Any = None
        self._buffer = memoryview(bytearray(most))  # of a bytearray, a TLS connection would fill copies of its slices
        self._answers: list | None = None  # to `ask`
        self._error: Exception | None = None
        self._changed = asyncio.Event()  # it has been answered, or has ended

    async def ask(self, *commands) -> list:
        """Send commands, each a tuple of words, and return their answers; errors stand among them. Nothing else may be under way.

        Raises why the connection ended, where it does so before.
        """
        answers: list = []
        self._answers = answers
        self._transport.write(b"".join([pack_command(command) for command in commands]))
        try:
            while len(answers) < len(commands):
                await self._next()
        finally:
            self._answers = None
        return answers

    async def end(self):
        """Wait until the connection has ended, or is of no more use, and raise why."""
        while True:
            await self._next()

    async def _next(self):
        """Wait for the next change, or raise why there will be none."""
        if self._error is not None:
            raise self._error
        self._changed.clear()
        await self._changed.wait()
        if self._error is not None:
            raise self._error

    def close(self):
        """End it, after what has been written."""
        if self._transport is not None:
            self._transport.close()

    def _end(self, error):
        self._error = self._error or error
        self._changed.set()

    # Called by asyncio

    def connection_made(self, transport):
        self._transport = transport

    def connection_lost(self, error):
        self._end(error or ConnectionError("closed by Redis"))

    def get_buffer(self, sizehint):
        return self._buffer

    def buffer_updated(self, count):
        self._reader.feed(self._buffer, 0, count)  # type: ignore[arg-type]  # it takes any buffer
        if self._answers is None:
            self.take(self._reader.gets)
        else:
            while (answer := self._reader.gets()) is not _NO_MORE:
                self._answers.append(answer)
            self._changed.set()

    def take(self, parsed):
        """Take what has come: `parsed()` answers one reply after another, and then none of their kinds."""
        raise NotImplementedError


class Replies(RedisConnection):
    """The publisher's: commands leave as ready bytes, and their replies are counted. `answered()` is called when they are all there.

    The connection ends with `asyncio.TimeoutError` where they are not after `seconds`.
    """

    def __init__(self, seconds: float, answered):
        super().__init__()
        self._seconds, self._answered = seconds, answered
        self._loop = asyncio.get_running_loop()
        self._unanswered = 0
        self._asked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None  # one for all that is asked within its time

    def say(self, commands: bytes, number: int):
        """Send so many commands; the next ones when these are answered."""
        self._unanswered, self._asked_at = number, self._loop.time()
        if self._error is None:
            if self._timer is None:
                self._timer = self._loop.call_later(self._seconds, self._look)
            self._transport.write(commands)

    def _look(self):
        self._timer = None
        if self._unanswered:
            left = self._asked_at + self._seconds - self._loop.time()
            if left > 0:
                self._timer = self._loop.call_later(left, self._look)
            else:
                self._end(asyncio.TimeoutError())

    def _end(self, error):
        super()._end(error)
        if self._timer is not None:
            self._timer.cancel()

    def take(self, parsed):
        before = self._unanswered
        while isinstance(reply := parsed(), int):  # anything else: an error, or nothing more has been parsed
            self._unanswered -= 1
        if isinstance(reply, Exception):
            self._end(reply)
        elif before and not self._unanswered and self._error is None:
            self._answered()


class Receiver(RedisConnection):
    """The subscriber's: `heard(channel, payload)` is called for each message. `channels`: those that have a name on Redis for all chats, by it."""

    def __init__(self, channels: dict[bytes, str], heard):
        super().__init__(READ_BYTES)
        self._channels = channels
        self._heard = heard
        self._unanswered = 0

    async def change(self, add=(), drop=()):
        """Subscribe to these channels and unsubscribe from those; one change at a time. Returns when Redis has acknowledged all of it.

        Raises why the connection ended, where it does so before.
        """
        self._unanswered = len(add) + len(drop)
        commands = [(word, *names) for word, names in (("SUBSCRIBE", add), ("UNSUBSCRIBE", drop)) if names]
        self._transport.write(b"".join([pack_command(command) for command in commands]))
        while self._unanswered:
            await self._next()

    def take(self, parsed):
        channels, heard = self._channels, self._heard
        while isinstance(message := parsed(), list):  # anything else: an error, or nothing more has been parsed
            if message[0] == b"message":
                # Names of single chats are not kept: there are many.
                heard(channels.get(message[1]) or channel_of(message[1].decode()), message[2])
            else:
                self._unanswered -= 1
                if not self._unanswered:
                    self._changed.set()
        if isinstance(message, Exception):
            self._end(message)
