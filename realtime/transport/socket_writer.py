"""The fast path: ready bytes straight to a socket, one write per socket and loop tick, bounded memory for slow readers.

Tornado's stream costs several times the kernel's own work for each small write (DESIGN.md, "Speed is part of the design"), so while
its buffer is empty the bytes go to the socket directly. Once it holds something, everything goes through it until it is empty again:
otherwise the two would interleave and break the framing. Tornado keeps reading, pings and closing.

What many sockets get alike is joined once and not once for each of them (`Tick.broadcast`), see `crowd`.
"""

import asyncio
import time

from tornado.iostream import IOStream

# The stream tells when a write is done, not how far it is; a slow socket's progress is seen in steps of this many bytes.
PROGRESS_STEP = 8192
NOTHING = ()  # is queued: an idle socket has no list of its own


class Stream(IOStream):
    """Tornado's, whose wire hears of its end before the file descriptor is free: in the next moment another socket may have its number."""

    __slots__ = ("writer",)

    def __init__(self, *arguments, **options):
        self.writer = None
        super().__init__(*arguments, **options)

    def close_fd(self):
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.closing()
        if self.error is not None:
            self.error = self.error.with_traceback(None)  # whose frames hold on to this stream
        super().close_fd()


class SocketWriter:
    """The way out of one socket. `queued` bytes wait for the end of this tick, `unsent` ones for the kernel."""

    __slots__ = (
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
        "_crowds",
    )

    def __init__(self, stream):
        self._stream = stream
        self.socket = stream.socket
        self.number = None  # the socket's file descriptor, where its end is heard of before it
        self._frames = NOTHING
        self.queued = 0
        self.unsent = 0
        self.progress_at = 0.0  # time.monotonic() when the kernel last took something that had to wait
        self._drain = None
        self._direct = type(stream) in (Stream, IOStream)  # a TLS stream's bytes must pass its TLS layer
        self._gone = False
        self._crowds = 0  # that it is in
        if isinstance(stream, Stream) and not stream.closed():
            self.number, stream.writer = self.socket.fileno(), self
        self._hold()

    def _hold(self):
        """Something is on its way, and must not be overtaken. Of who is gone and in no crowd, nothing could be."""
        if self._crowds or not self._gone:
            write_queue.busy.add(self)

    def join(self):
        """It is in one more crowd."""
        self._crowds += 1

    def leave(self):
        """It is in one less."""
        self._crowds -= 1
        if self._gone and not self._crowds:
            write_queue.busy.discard(self)

    def send(self, frame: bytes):
        """Queue a ready frame; it leaves at the end of this loop tick, together with the others of this socket."""
        if write_queue.broadcasts:
            write_queue.queue_broadcasts()
        if self._frames:
            self._frames.append(frame)
        else:
            self._hold()
            self._frames = [frame]
            write_queue.writers.append(self)
            write_queue.schedule()
        self.queued += len(frame)

    def flush(self):
        """Write what is queued for this socket now."""
        if write_queue.broadcasts:
            write_queue.queue_broadcasts()
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
                write_queue.busy.discard(self)
                return
            data = memoryview(data)[sent:]
        self.take_on(data)

    def break_off(self, error: OSError):
        """The socket has failed."""
        self._stream.close(exc_info=error)

    def detour(self):
        """Tornado has written something itself. What is left of it goes before ours."""
        if self._stream.writing():
            self._hold()

    def closing(self):
        """The socket is about to be closed. Whoever has its number must not use it any more: its way is not free before it has left all crowds."""
        self._hold()

    def gone(self):
        """The socket has ended, and nothing more is said here."""
        self._gone = True
        if not self._crowds:
            write_queue.busy.discard(self)

    async def drained(self):
        """Wait until the kernel has taken everything."""
        self.flush()
        while self.unsent:
            if self._drain is None:
                self._drain = asyncio.get_running_loop().create_future()
            await self._drain

    def take_on(self, data):
        """Have what the kernel did not take written by Tornado's stream, when it does."""
        self._hold()
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


class WriteQueue:
    """What this process has to write at the end of this loop tick."""

    def __init__(self):
        self.writers: list[SocketWriter] = []  # that have frames queued
        # Where bytes may be on their way. A broadcast may not overtake them; to all other sockets it can go at once. A write that went
        # straight through takes a wire out, whatever has to wait puts it in.
        self.busy: set[SocketWriter] = set()
        self.io_uring = None  # where there is one: see `ring`
        self.broadcasts = []  # functions: see `broadcast`
        self._scheduled = False

    def schedule(self):
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def broadcast(self, flush):
        """Have `flush(now)` called at the end of this tick, or before anything else is said to any socket."""
        self.broadcasts.append(flush)
        self.schedule()

    def queue_broadcasts(self):
        """Something is about to be said to one socket, to be told apart or to leave: what was said to all of them goes before it."""
        broadcasts, self.broadcasts = self.broadcasts, []
        for flush in broadcasts:
            flush(now=False)

    def flush(self):
        """Write everything."""
        self._scheduled = False
        broadcasts, self.broadcasts = self.broadcasts, []
        for flush in broadcasts:
            flush(now=True)
        writers, self.writers = self.writers, []
        for writer in writers:
            writer.flush()


write_queue = WriteQueue()
