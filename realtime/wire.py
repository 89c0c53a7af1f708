"""The fast path: ready bytes straight to a socket, one write per socket and loop tick, bounded memory for slow readers.

Tornado's stream costs several times the kernel's own work for each small write (DESIGN.md, "Speed is part of the design"), so while
its buffer is empty the bytes go to the socket directly. Once it holds something, everything goes through it until it is empty again:
otherwise the two would interleave and break the framing. Tornado keeps reading, pings and closing.
"""

import asyncio
import time

# The stream tells when a write is done, not how far it is; a slow socket's progress is seen in steps of this many bytes.
PROGRESS_STEP = 8192


class Wire:
    """The way out of one socket. `queued` bytes wait for the end of this tick, `unsent` ones for the kernel."""

    __slots__ = ("_stream", "_socket", "_frames", "queued", "unsent", "progress_at", "_drain", "_direct")

    # The wires of this process that have frames queued in this tick.
    _ready: list["Wire"] = []

    def __init__(self, stream):
        self._stream = stream
        self._socket = stream.socket
        self._frames: list[bytes] = []
        self.queued = 0
        self.unsent = 0
        self.progress_at = 0.0  # time.monotonic() when the kernel last took something that had to wait
        self._drain = None
        # A TLS stream's bytes must pass its TLS layer.
        self._direct = type(stream).__name__ == "IOStream"

    def send(self, frame: bytes):
        """Queue a ready frame; it leaves at the end of this loop tick, together with the others of this socket."""
        if not self._frames:
            if not Wire._ready:
                asyncio.get_running_loop().call_soon(Wire.flush_all)
            Wire._ready.append(self)
        self._frames.append(frame)
        self.queued += len(frame)

    @staticmethod
    def flush_all():
        """Write what this tick has queued."""
        ready, Wire._ready = Wire._ready, []
        for wire in ready:
            wire.flush()

    def flush(self):
        """Write what is queued for this socket now."""
        if not self._frames:
            return
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames, self.queued = [], 0
        if self._stream.closed():
            return
        if self._direct and not self._stream.writing():
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._stream.close(exc_info=error)
                return
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
        self._to_stream(data)

    async def drained(self):
        """Wait until the kernel has taken everything."""
        self.flush()
        while self.unsent:
            if self._drain is None:
                self._drain = asyncio.get_running_loop().create_future()
            await self._drain

    def _to_stream(self, data):
        if not self.unsent:
            self.progress_at = time.monotonic()
        self.unsent += len(data)
        for start in range(0, len(data), PROGRESS_STEP):
            if self._stream.closed():
                return
            step = bytes(data[start:start + PROGRESS_STEP])
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
