"""What one instance writes at the end of this turn of the event loop, and in which order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.transport.broadcast import Broadcast
    from realtime.transport.io_uring import IoUring
    from realtime.transport.socket_writer import SocketWriter


class WriteQueue:
    """Frames for single sockets and broadcasts to many, of one event loop.

    All frames of one socket leave in one write at the end of the turn. Two rules keep the order:

    - A broadcast leaves before any later frame for one of its members (`SocketWriter.send` calls `settle`).
    - A broadcast leaves before a member joins, leaves or is treated apart (`Broadcast` calls `settle`).
    """

    def __init__(self):
        self.io_uring: IoUring | None = None  # sends a broadcast with one system call, where the kernel has it
        # Writers with bytes that have not left. A broadcast must not overtake those bytes; to all other sockets it goes directly. A writer
        # is put in when something has to wait, and taken out by a write that the kernel took whole.
        self.busy: set[SocketWriter] = set()
        self.broadcasts: list[Broadcast] = []  # with frames that have not left
        self._writers: list[SocketWriter] = []  # with frames that have not left
        self._scheduled = False

    def add_writer(self, writer: SocketWriter):
        """This `SocketWriter` has something to flush."""
        self._writers.append(writer)
        self._schedule()

    def add_broadcast(self, broadcast: Broadcast):
        """This `Broadcast` has something to flush."""
        self.broadcasts.append(broadcast)
        self._schedule()

    def settle(self):
        """Move the frames of all broadcasts into the queues of their members."""
        broadcasts, self.broadcasts = self.broadcasts, []
        for broadcast in broadcasts:
            broadcast.flush(direct=False)

    def flush(self):
        """Write everything now."""
        self._scheduled = False
        broadcasts, self.broadcasts = self.broadcasts, []
        for broadcast in broadcasts:
            broadcast.flush(direct=True)
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()

    def _schedule(self):
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)
