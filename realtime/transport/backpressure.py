"""The bounds of a slow socket: how much may wait for it, and for how long it may take nothing."""

from dataclasses import dataclass

from realtime.transport.socket_writer import SocketWriter

HOPELESS = 4  # times the buffer may be unsent where no frame may be left out


@dataclass(frozen=True, slots=True)
class Backpressure:
    """The settings SOCKET_BUFFER_BYTES and SOCKET_STALL_SECONDS.

    With `buffer_bytes` unsent, nothing more is queued that may be left out. A socket that takes no byte for `stall_seconds` is closed.
    """

    buffer_bytes: int = 256 * 1024
    stall_seconds: float = 30.0

    def is_full(self, writer: SocketWriter) -> bool:
        """Whether frames that may be left out must be left out now."""
        return writer.unsent + writer.queued > self.buffer_bytes

    def takes(self, writer: SocketWriter, size: int) -> bool:
        """Whether there is room for `size` bytes of a broadcast. Where nothing waits there always is, however large it is."""
        waiting = writer.unsent + writer.queued
        return not waiting or waiting + size <= self.buffer_bytes

    def is_hopeless(self, writer: SocketWriter) -> bool:
        """Whether the socket is too slow even for frames that must not be left out."""
        return writer.unsent > HOPELESS * self.buffer_bytes

    def has_stalled(self, writer: SocketWriter, now: float) -> bool:
        """Whether bytes are waiting and the kernel has taken none of them for so long; `now` is `time.monotonic()`."""
        return bool(writer.unsent) and now - writer.progress_at > self.stall_seconds
