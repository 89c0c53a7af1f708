"""What one instance has to write at the end of this turn of the event loop, and in which order."""

import asyncio


class WriteQueue:
    """Frames for single sockets and broadcasts to many, of one event loop.

    All frames of one socket leave in one write at the end of the turn. Two rules keep the order:

    - What was said to all leaves before anything that is said to one of them later (`SocketWriter.send` calls `settle`).
    - What was said to all leaves before anybody joins them, leaves them or is told apart from them (`Broadcast` calls `settle`).
    """

    def __init__(self):
        self.io_uring = None  # an `IoUring` where there is one: sends a broadcast with one system call
        # Sockets with bytes on their way. A broadcast must not overtake those bytes; to all other sockets it goes straight. Whatever has
        # to wait puts a writer in, and a write that went straight through takes it out.
        self.busy = set()
        self.broadcasts = []  # with frames that have not left
        self._writers = []  # with frames that have not left
        self._scheduled = False

    def add_writer(self, writer):
        """This `SocketWriter` has something to flush."""
        self._writers.append(writer)
        self._schedule()

    def add_broadcast(self, broadcast):
        """This `Broadcast` has something to flush."""
        self.broadcasts.append(broadcast)
        self._schedule()

    def settle(self):
        """Put what was said to many into the queue of each of them."""
        broadcasts, self.broadcasts = self.broadcasts, []
        for broadcast in broadcasts:
            broadcast.flush(straight=False)

    def flush(self):
        """Write everything now."""
        self._scheduled = False
        broadcasts, self.broadcasts = self.broadcasts, []
        for broadcast in broadcasts:
            broadcast.flush(straight=True)
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()

    def _schedule(self):
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)
