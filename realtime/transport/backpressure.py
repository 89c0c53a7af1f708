"""The bounds of a slow socket, once: how much may wait for it, and for how long it may take nothing."""

from dataclasses import dataclass

from realtime.transport.socket_writer import SocketWriter

HOPELESS = 4  # times the buffer: unsent frames that may not be left out


@dataclass(frozen=True, slots=True)
class Backpressure:
    """`buffer_bytes` may be unsent before nothing more is queued; a socket that takes no byte for `stall_seconds` is given up.

    The settings SOCKET_BUFFER_BYTES and SOCKET_STALL_SECONDS.
    """

    buffer_bytes: int = 256 * 1024
    stall_seconds: float = 30.0

    def is_full(self, writer: SocketWriter) -> bool:
        """Nothing that may be left out is queued for this socket now."""
        return writer.unsent + writer.queued > self.buffer_bytes

    def takes(self, writer: SocketWriter, size: int) -> bool:
        """Whether the socket takes `size` bytes of a broadcast: always where nothing waits, however large it is."""
        waiting = writer.unsent + writer.queued
        return not waiting or waiting + size <= self.buffer_bytes

    def is_hopeless(self, writer: SocketWriter) -> bool:
        """Too slow even for the frames that must not be left out."""
        return writer.unsent > HOPELESS * self.buffer_bytes

    def has_stalled(self, writer: SocketWriter, now: float) -> bool:
        """The kernel has taken nothing of what waits for so long; `now` is `time.monotonic()`."""
        return bool(writer.unsent) and now - writer.progress_at > self.stall_seconds
