"""The way out of one socket: ready bytes straight to the kernel, one write for each turn of the event loop, bounded memory for slow readers.

Tornado's stream costs several times the kernel's own work for each small write, so the bytes go to the socket directly while the
stream's buffer is empty. Once it holds something, everything goes through it until it is empty again: otherwise the two would
interleave and break the framing. Tornado keeps reading, pings and closing.
"""

import asyncio
import time

from tornado.iostream import IOStream

from realtime.transport.write_queue import WriteQueue

# The stream tells when a write is done, not how far it is; a slow socket's progress is seen in steps of this many bytes.
PROGRESS_STEP = 8192
NOTHING = ()  # an idle socket has no list of its own


class Stream(IOStream):
    """Tornado's stream, which tells its writer of the end before the file descriptor is free: another socket may get that number at once."""

    __slots__ = ("writer",)

    def __init__(self, *arguments, **options):
        self.writer = None
        super().__init__(*arguments, **options)

    def close_fd(self):
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.closing()
        if self.error is not None:
            self.error = self.error.with_traceback(None)  # its frames hold on to this stream
        super().close_fd()


class SocketWriter:
    """The way out of one socket. `queued` bytes wait for the end of this turn of the loop, `unsent` ones for the kernel."""

    __slots__ = (
        "_queue",
        "_stream",
        "socket",
        "number",
        "_frames",
        "queued",
        "unsent",
        "progress_at",
        "_drain",
        "_direct",
        "_gone",
        "_broadcasts",
    )

    def __init__(self, stream: IOStream, queue: WriteQueue):
        self._queue = queue
        self._stream = stream
        self.socket = stream.socket
        self.number = None  # the file descriptor, or None where its end would not be heard of in time
        self._frames = NOTHING
        self.queued = 0
        self.unsent = 0
        self.progress_at = 0.0  # time.monotonic() when the kernel last took something that had to wait
        self._drain = None
        self._direct = type(stream) in (Stream, IOStream)  # a TLS stream's bytes must pass its TLS layer
        self._gone = False
        self._broadcasts = 0  # how many it belongs to
        if isinstance(stream, Stream) and not stream.closed():
            self.number, stream.writer = self.socket.fileno(), self
        self._mark_busy()

    def _mark_busy(self):
        """Bytes are on their way, and no broadcast may overtake them. A closed socket in no broadcast cannot be overtaken."""
        if self._broadcasts or not self._gone:
            self._queue.busy.add(self)

    def join(self):
        """It belongs to one more broadcast."""
        self._broadcasts += 1

    def leave(self):
        """It belongs to one broadcast less."""
        self._broadcasts -= 1
        if self._gone and not self._broadcasts:
            self._queue.busy.discard(self)

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
        self._write(data)

    def _write(self, data):
        if self._stream.closed():
            return
        if self._direct and not self._stream.writing():
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.break_off(error)
                return
            if sent == len(data):
                self._queue.busy.discard(self)
                return
            data = memoryview(data)[sent:]
        self.take_on(data)

    def break_off(self, error: OSError):
        """The socket has failed."""
        self._stream.close(exc_info=error)

    def detour(self):
        """Tornado has written something itself. What is left of it goes before ours."""
        if self._stream.writing():
            self._mark_busy()

    def closing(self):
        """The socket is about to be closed. Nobody may use its number any more, so it stays busy until it has left all broadcasts."""
        self._mark_busy()

    def gone(self):
        """The socket has ended, and nothing more is sent here."""
        self._gone = True
        if not self._broadcasts:
            self._queue.busy.discard(self)

    async def drained(self):
        """Wait until the kernel has taken everything."""
        self.flush()
        while self.unsent:
            if self._drain is None:
                self._drain = asyncio.get_running_loop().create_future()
            await self._drain

    def take_on(self, data):
        """Have Tornado's stream write what the kernel did not take, when it does."""
        self._mark_busy()
        if not self.unsent:
            self.progress_at = time.monotonic()
        self.unsent += len(data)
        for start in range(0, len(data), PROGRESS_STEP):
            if self._stream.closed():
                return
            step = bytes(data[start : start + PROGRESS_STEP])
            self._stream.write(step).add_done_callback(lambda written, size=len(step): self._written(written, size))

    def _written(self, written, size):
        if written.cancelled() or written.exception() is not None:
            return
        self.unsent -= size
        self.progress_at = time.monotonic()
        if not self.unsent and self._drain is not None:
            drain, self._drain = self._drain, None
            if not drain.done():
                drain.set_result(None)
