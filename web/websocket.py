"""Tornado's WebSocket protocol, as thousands of sockets need it that nearly always wait, and stricter where RFC 6455 says so.

Tornado parses frames, puts fragments together, answers pings and closes. What else it would keep for each socket while nothing
happens goes with the handshake (bytes of memory on CPython 3.13):

- the handshake's seven coroutines, which wait for the socket's end: they end, and a task lives as long as one frame takes;
- a task with two coroutines, a future and a timer for its pings: `Pings` pings all sockets (5,000 bytes with the one above);
- the handler, its request, the headers of both sides and the HTTP connection (4,700): a `Listener` stands in for them;
- two deques for what waits to be written, which are large while empty (1,500): lists.
"""

import asyncio
import logging
import socket
from contextlib import suppress

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketProtocol13

log = logging.getLogger("parley.websocket")

PROTOCOL_ERROR, INVALID_UTF8, INTERNAL_ERROR = 1002, 1007, 1011
TEXT, CLOSE, PING = 0x1, 0x8, 0x9
MASKED = 0x80
HEADER_BYTES, MASK_BYTES = 2, 4
PONG = b"\x8a\x80"  # the first bytes of the answer to our pings, which are empty
DISCARDED = 65536  # bytes read at a time of what follows a broken frame


class Protocol(WebSocketProtocol13):
    """One socket. The handler's `open` puts a `Listener` in its own place."""

    # As slots, because with more than 30 attributes CPython keeps a dict of 1,200 bytes for each object.
    __slots__ = ("_header", "_reader", "_lingering", "_pings", "pinged_with", "writer")

    def __init__(self, handler, params, pings: "Pings"):
        super().__init__(handler, False, params)
        self._header = b""  # of the frame that is being read
        self._reader = None  # the task that reads it
        self._lingering = False
        self._pings = pings
        self.pinged_with = None  # see Pings
        self.writer = None  # another way out, that is told when this one is used

    def start_pinging(self):
        self._pings.add(self)

    # Reading. Tornado calls `_receive_frame_loop` last in its handshake, and waits for its end.

    async def _receive_frame_loop(self):
        if not self.stream.closed():
            self.stream._write_futures = _Queue(self.stream._write_futures)
            self.stream._write_buffer._buffers = _Queue(self.stream._write_buffer._buffers)
        self._wait()

    def _wait(self):
        """For the next frame."""
        self._ask(HEADER_BYTES, self._arrived)

    def _ask(self, count, arrived):
        """Have `arrived(read)` called with so many bytes, with nothing alive until then but the stream's own future."""
        try:
            self.stream.read_bytes(count).add_done_callback(arrived)
        except StreamClosedError:
            self._ended()

    def _arrived(self, read):
        if _has_failed(read):
            self._ended()
        elif read.result() == PONG:
            self._ask(MASK_BYTES, self._ponged)  # all that an idle socket brings: it needs no task
        else:
            self._header = read.result()
            self._reader = asyncio.ensure_future(self._read_frame())

    def _ponged(self, read):
        if _has_failed(read):
            self._ended()
        else:
            self._received_pong = True
            self._wait()

    async def _read_frame(self):
        try:
            if self._header[1] & MASKED:
                await self._receive_frame()
            else:
                self.fail(PROTOCOL_ERROR)
        except StreamClosedError:
            pass
        except Exception:
            log.exception("a frame could not be read")
            self.fail(INTERNAL_ERROR)
        finally:
            self._reader = None
        if self.client_terminated:
            self._ended()
        else:
            self._wait()

    async def _read_bytes(self, n):
        if self._header:  # the first that is asked for
            header, self._header = self._header, b""
            return header
        return await self.stream.read_bytes(n)

    def _handle_message(self, opcode, data):
        if opcode == TEXT and not _is_utf8(data):
            return self.fail(INVALID_UTF8)
        if opcode == CLOSE and (code := _wrong_with(data)):
            return self.fail(code)
        if opcode == PING and self.server_terminated:
            return None  # nothing follows a close frame; Tornado 6.5 would answer
        return super()._handle_message(opcode, data)

    # Writing what is Tornado's own: pings, pongs, the close frame

    def _write_frame(self, *frame, **options):
        written = super()._write_frame(*frame, **options)
        if self.writer is not None:
            self.writer.detour()
        return written

    # Ending

    def close(self, code=None, reason=None):
        self._pings.discard(self)
        super().close(code, reason)

    def _abort(self):
        """Tornado gives up on the connection; where a frame is the reason, the client hears so before."""
        if self._reader is not None and asyncio.current_task() is self._reader:
            self.fail(PROTOCOL_ERROR)
        else:
            super()._abort()

    def fail(self, code):
        """Close because of what the client has sent, unless a close frame with another reason has just been sent.

        The rest of what it sends is read and thrown away: a socket that is closed with bytes unread is reset, and the close
        frame would be lost. `close` sets a limit to that.
        """
        if self.client_terminated or self.stream.closed():
            return
        self.close(code)
        self.client_terminated = self._lingering = (
            True  # it may be half-way through a frame: nothing that follows is one
        )
        asyncio.ensure_future(self._linger())

    async def _linger(self):
        stream = self.stream
        try:
            await stream.write(b"")  # after the close frame
            stream.socket.shutdown(socket.SHUT_WR)
            while True:
                await stream.read_bytes(DISCARDED, partial=True)
        except (StreamClosedError, OSError):
            self._abort()

    def _ended(self):
        if self.handler is not None:
            handler, self.handler = self.handler, None
            if not self._lingering:
                self._abort()
            handler.on_ws_connection_close(self.close_code, self.close_reason)


class Pings:
    """Pings every socket each `interval` seconds, and drops those that have not answered the last one; never where it is 0.

    A hundredth of them is pinged in each hundredth of the interval: one timer for all, and never all at once.
    """

    PARTS = 100

    def __init__(self, interval: float):
        self._seconds = interval / self.PARTS
        self._parts = [set() for _ in range(self.PARTS)]
        self._turn = 0
        self._timer = None

    def add(self, protocol: Protocol):
        """A new socket; its first ping comes after one interval."""
        if self._seconds:
            protocol._received_pong = True
            protocol.pinged_with = self._parts[self._turn]
            protocol.pinged_with.add(protocol)
            if self._timer is None:
                self._later()

    def discard(self, protocol: Protocol):
        """It closes."""
        if protocol.pinged_with is not None:
            protocol.pinged_with.discard(protocol)
            protocol.pinged_with = None

    def _later(self):
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ping)

    def _ping(self):
        self._timer = None
        self._turn = (self._turn + 1) % self.PARTS
        for protocol in list(self._parts[self._turn]):
            if protocol._received_pong:
                protocol._received_pong = False
                with suppress(StreamClosedError):
                    protocol.write_ping(b"")
            else:
                protocol._abort()  # nobody is there who could answer a close frame
        if any(self._parts):
            self._later()


class _Queue(list):
    """What Tornado's stream does with its deques; seldom anything is in it, and never much."""

    __slots__ = ()

    def popleft(self):
        return self.pop(0)


def _has_failed(read):
    return read.cancelled() or read.exception() is not None


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wrong_with(closing) -> int | None:
    """The code for a close frame's payload that RFC 6455 (5.5.1, 7.4) does not allow."""
    if not closing:
        return None
    code = int.from_bytes(closing[:2], "big")
    if len(closing) == 1 or not (1000 <= code <= 1014 or 3000 <= code <= 4999) or code in (1004, 1005, 1006):
        return PROTOCOL_ERROR
    return None if _is_utf8(closing[2:]) else INVALID_UTF8
