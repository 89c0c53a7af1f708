"""The receiving ends of the two Redis connections: what Redis says is parsed and taken as it is read.

redis-py reads through a stream, a task that it wakes, and a coroutine for each message: 9 µs for one, and where thirty come together still
2.7 for each. A protocol of asyncio that reads into one buffer, and takes everything that hiredis finds in it, needs 2.
"""

import asyncio

from realtime.bus.channel_names import channel_of

READ_BYTES = 128 * 1024  # of what others publish; of a storm of it, reading twice as much at a time saves 7 %
REPLY_BYTES = 4 * 1024


class _TakenOver(asyncio.BufferedProtocol):
    """Takes over a `connection` of redis-py on which nothing is awaited; subclasses take what `_reader` finds in the bytes."""

    def __init__(self, connection, most: int):
        """Up to `most` bytes are read at a time."""
        # redis-py makes neither public: its parser, set up as the connection's options say, and its transport.
        self._reader = connection._parser._reader
        self._transport = connection._writer.transport
        self._writing = self._transport.get_protocol()
        self._buffer = memoryview(bytearray(most))  # of a bytearray, a TLS connection would fill copies of its slices
        self._error = None
        self._ended = asyncio.Event()
        self._transport.set_protocol(self)

    async def end(self):
        """Wait until the connection has ended, or is of no more use, and raise why."""
        await self._ended.wait()
        raise self._error

    def _end(self, error):
        self._error = self._error or error
        self._ended.set()

    # Called by asyncio

    def get_buffer(self, sizehint):
        return self._buffer

    def connection_lost(self, error):
        self._writing.connection_lost(error)
        self._end(error or ConnectionError("closed by Redis"))

    def pause_writing(self):
        self._writing.pause_writing()

    def resume_writing(self):
        self._writing.resume_writing()


class Replies(_TakenOver):
    """The publisher's: commands leave as ready bytes, and their replies are counted. `answered()` is called when they are all there.

    The connection ends with `asyncio.TimeoutError` where they are not after `seconds`.
    """

    def __init__(self, connection, seconds: float, answered):
        super().__init__(connection, REPLY_BYTES)
        self._seconds, self._answered = seconds, answered
        self._loop = asyncio.get_running_loop()
        self._unanswered = 0
        self._asked_at = 0.0
        self._timer = None  # one for all that is asked within its time

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

    def buffer_updated(self, count):
        self._reader.feed(self._buffer, 0, count)
        before = self._unanswered
        while isinstance(reply := self._reader.gets(), int):  # anything else: an error, or nothing more has been parsed
            self._unanswered -= 1
        if isinstance(reply, Exception):
            self._end(reply)
        elif before and not self._unanswered and self._error is None:
            self._answered()


class Receiver(_TakenOver):
    """The subscriber's: `heard(channel, payload)` is called for each message. `channels`: those that have a name on Redis for all chats, by it."""

    def __init__(self, connection, channels: dict[bytes, str], heard):
        self._connection = connection
        self._channels = channels
        self._heard = heard
        self._unanswered = 0
        self._answered = asyncio.Event()
        super().__init__(connection, READ_BYTES)

    async def ask(self, add=(), drop=()):
        """Subscribe to these channels and unsubscribe from those; one question at a time. Returns when Redis has acknowledged all of it.

        Raises why the connection ended, where it does so before.
        """
        self._unanswered = len(add) + len(drop)
        self._answered.clear()
        commands = [(word, *names) for word, names in (("SUBSCRIBE", add), ("UNSUBSCRIBE", drop)) if names]
        await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        await self._answered.wait()
        if self._error is not None:
            raise self._error

    def _end(self, error):
        super()._end(error)
        self._answered.set()

    def buffer_updated(self, count):
        channels, heard, parsed = self._channels, self._heard, self._reader.gets
        self._reader.feed(self._buffer, 0, count)
        while isinstance(message := parsed(), list):  # anything else: an error, or nothing more has been parsed
            if message[0] == b"message":
                # Names of single chats are not kept: there are many.
                heard(channels.get(message[1]) or channel_of(message[1].decode()), message[2])
            else:
                self._unanswered -= 1
                if not self._unanswered:
                    self._answered.set()
        if isinstance(message, Exception):
            self._end(message)
