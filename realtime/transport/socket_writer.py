"""The way out of one socket: ready bytes straight to the kernel, one write for each turn of the event loop, bounded memory for slow readers.

What the kernel does not take waits in a buffer here, and all that follows waits behind it: otherwise the two would interleave and break
the framing. The socket itself belongs to somebody else, who reads from it and closes it (`web/websocket.py`).
"""

import asyncio
import enum
import socket
import time
from collections.abc import Callable
from typing import Any

from realtime.transport.write_queue import WriteQueue

NOTHING: Any = ()  # an idle socket has no list and no buffer of its own


class _State(enum.IntEnum):
    OPEN = 0
    FINISHED = 1  # it takes nothing more, and what waits is still written
    SHUT = 2  # and then the kernel is told that nothing follows
    FAILED = 3  # writing to the socket has failed
    CLOSED = 4


OPEN, FINISHED, SHUT, FAILED, CLOSED = _State


class SocketWriter:
    """The way out of one socket. `queued` bytes wait for the end of this turn of the loop, `unsent` ones for the kernel."""

    __slots__ = (
        "_queue",
        "socket",
        "number",
        "_state",
        "_frames",
        "queued",
        "_buffer",
        "unsent",
        "progress_at",
        "_drain",
        "_lost",
        "_broadcasts",
    )

    def __init__(self, accepted: socket.socket, queue: WriteQueue, lost: Callable[[], object]):
        """`accepted` does not block. `lost()` is called by the event loop after writing to it has failed."""
        self._queue = queue
        self.socket = accepted
        self.number: int | None = accepted.fileno()  # None where it may be another socket's
        self._state: _State = OPEN
        self._frames: list[bytes] = NOTHING
        self.queued = 0
        self._buffer: bytearray = NOTHING  # what is unsent
        self.unsent = 0
        self.progress_at = 0.0  # time.monotonic() when the kernel last took something that had to wait
        self._drain: asyncio.Future | None = None
        self._lost: Callable[[], object] | None = lost
        self._broadcasts = 0  # how many it belongs to

    def _mark_busy(self):
        """Bytes are on their way, and no broadcast may overtake them. A closed socket in no broadcast cannot be overtaken."""
        if self._broadcasts or self._state is not CLOSED:
            self._queue.busy.add(self)

    def join(self):
        """It belongs to one more broadcast."""
        self._broadcasts += 1
        if self._state is not OPEN:
            self._mark_busy()

    def leave(self):
        """It belongs to one broadcast less."""
        self._broadcasts -= 1
        if self._state is CLOSED and not self._broadcasts:
            self._queue.busy.discard(self)

    # Frames, in the order in which they are given

    def send(self, frame: bytes):
        """Queue a ready frame; it leaves at the end of this turn of the loop, together with the others of this socket."""
        queue = self._queue
        if queue.broadcasts:
            queue.settle()
        if self._frames:
            self._frames.append(frame)
        else:
            self._mark_busy()
            self._frames = [frame]
            queue.add_writer(self)
        self.queued += len(frame)

    def flush(self):
        """Write what is queued for this socket now."""
        if self._queue.broadcasts:
            self._queue.settle()
        if not self._frames:
            return
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames, self.queued = NOTHING, 0
        self.write(data)

    def finish(self, frame: bytes):
        """Write what is queued and then a last frame. Whatever else is given is dropped."""
        self.flush()
        self.write(frame)
        if self._state is OPEN:
            self._state = FINISHED
            self._mark_busy()  # for good: no broadcast writes behind the last frame

    def write(self, data: bytes | memoryview):
        """Write ready frames now, before what is queued: pings and the like, which may come between any two frames."""
        if self._state is not OPEN:
            return
        if not self.unsent:
            try:
                sent = self.socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self.break_off(error)
                return
            if sent == len(data):
                if not self._frames:
                    self._queue.busy.discard(self)
                return
            data = memoryview(data)[sent:]
        self.take_on(data)

    def take_on(self, data):
        """Write what the kernel did not take, when it does."""
        if self._state is not OPEN:
            return
        if not self.unsent:
            self._mark_busy()
            self.progress_at = time.monotonic()
            self._buffer = bytearray()
            asyncio.get_running_loop().add_writer(self.socket.fileno(), self._writable)
        self._buffer += data
        self.unsent += len(data)

    def _writable(self):
        try:
            sent = self.socket.send(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.break_off(error)
            return
        del self._buffer[:sent]
        self.unsent -= sent
        self.progress_at = time.monotonic()
        if not self.unsent:
            self._forget_unsent()
            if self._state is OPEN:
                if not self._frames:
                    self._queue.busy.discard(self)
            elif self._state is SHUT:
                self._half_close()
            drain, self._drain = self._drain, None
            if drain is not None and not drain.done():
                drain.set_result(None)

    async def drained(self):
        """Wait until the kernel has taken everything."""
        self.flush()
        while self.unsent:
            if self._drain is None:
                self._drain = asyncio.get_running_loop().create_future()
            await self._drain

    # Ending

    def shut(self):
        """After `finish`: tell the other side that nothing follows, when everything is written."""
        if self._state is FINISHED:
            self._state = SHUT
            if not self.unsent:
                self._half_close()

    def _half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.break_off(error)

    def break_off(self, error: OSError):
        """Writing to the socket has failed. Whoever owns it hears so when the present turn of the loop is over, and closes it."""
        if self._state < FAILED:
            self._state = FAILED
            self._mark_busy()
            if self.unsent:
                self._forget_unsent()
            if self._lost is not None:
                asyncio.get_running_loop().call_soon(self._lost)

    def close(self):
        """The socket is about to be closed. Nobody may use its number any more, so it stays busy until it has left all broadcasts."""
        if self.unsent:
            self._forget_unsent()
        self._state, self.number, self._lost = CLOSED, None, None
        if self._broadcasts:
            self._mark_busy()
        else:
            self._queue.busy.discard(self)

    def _forget_unsent(self):
        asyncio.get_running_loop().remove_writer(self.socket.fileno())
        self._buffer, self.unsent = NOTHING, 0
