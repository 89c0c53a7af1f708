"""Broadcasts: the same bytes to many sockets. A socket with bytes still on their way gets them through its own queue, all others straight."""

import errno
import logging
import os

from realtime.transport import io_uring
from realtime.transport.backpressure import Backpressure
from realtime.transport.socket_writer import NOTHING, SocketWriter
from realtime.transport.write_queue import WriteQueue

logger = logging.getLogger("parley.delivery")

MANY = 12  # members from which on the list of their sockets is kept: one system call takes no longer than so many
MOST_OUTGOING_BYTES = 64 * 1024  # of one broadcast that wait together for the end of a turn of the loop


class Broadcast:
    """Members that get the same frames, each with its `SocketWriter`, and the frames that have not left yet.

    It owns the rule that what was said to all leaves before anybody joins, leaves or is told apart: whatever changes or shows its
    members settles first. A subclass says in `too_slow` what becomes of a member whose socket has no room.
    """

    __slots__ = ("_queue", "_backpressure", "_writers", "_outgoing", "_outgoing_bytes", "_outgoing_since", "_direct")

    def __init__(self, queue: WriteQueue, backpressure: Backpressure):
        self._queue = queue
        self._backpressure = backpressure
        self._writers: dict[object, SocketWriter] = {}  # by member
        self._outgoing = NOTHING  # frames
        self._outgoing_bytes = 0
        self._outgoing_since = None
        # Caches the socket list of a large audience until its membership changes: (`_Direct`, its writers as a set), or () where the
        # membership has not outlived a broadcast yet.
        self._direct = None

    # Members

    def members(self) -> list:
        """Those who have room for what was said so far, and get what is said from here on."""
        self.settle()
        return list(self._writers)

    def is_member(self, member) -> bool:
        """Whether somebody is among them."""
        self.settle()
        return member in self._writers

    def join(self, member, writer: SocketWriter):
        """A member gets what is said from here on."""
        self.settle()
        self._direct = None
        if member not in self._writers:
            writer.join()
        self._writers[member] = writer

    def leave(self, member):
        """A member gets nothing that is said from here on. Nothing happens where it was none."""
        self.settle()
        self._direct = None
        if (writer := self._writers.pop(member, None)) is not None:
            writer.leave()

    def settle(self):
        """Have what was said on its way to every member."""
        if self._outgoing:
            self._queue.settle()

    # Frames

    def say(self, frame: bytes, since):
        """Send a ready frame to all members, together with what else this turn of the loop brings them.

        `since` is what `too_slow` is told where this is the first frame that a member misses.
        """
        if not self._writers:
            return
        if self._outgoing and self._outgoing_bytes + len(frame) > MOST_OUTGOING_BYTES:
            self.settle()
        if self._outgoing:
            self._outgoing.append(frame)
            self._outgoing_bytes += len(frame)
        else:
            self._outgoing, self._outgoing_bytes, self._outgoing_since = [frame], len(frame), since
            self._queue.add_broadcast(self)

    def flush(self, straight: bool):
        """Called by the queue. With `straight` the turn of the loop ends: where nothing waits, the bytes go to the socket itself."""
        data, self._outgoing = b"".join(self._outgoing), NOTHING
        direct, writers = self._told_apart() if straight else (None, list(self._writers.values()))
        full, size, takes = set(), len(data), self._backpressure.takes
        for writer in writers:
            if takes(writer, size):
                writer.send(data)
            else:
                full.add(writer)
        if direct is not None:
            direct.send(data)
        if full:
            for member in [member for member, writer in self._writers.items() if writer in full]:
                self.too_slow(member, self._outgoing_since)

    def too_slow(self, member, since):
        """A member has no room for what was said from `since` on, and got nothing of it."""
        raise NotImplementedError

    def _told_apart(self) -> tuple["_Direct", list[SocketWriter]]:
        """The members with nothing on their way, and the writers of the others."""
        busy = self._queue.busy
        if self._direct and busy.isdisjoint(self._direct[1]):
            return self._direct[0], []
        writers = self._writers.values()
        if busy.isdisjoint(writers):
            writers = list(writers)
            if len(writers) < MANY:
                return _Direct(writers, self._queue), []
            if self._direct is None:
                self._direct = ()
                return _Direct(writers, self._queue), []
            self._direct = _Direct(writers, self._queue, keep=True), frozenset(writers)
            return self._direct[0], []
        free = [writer for writer in writers if writer not in busy]
        return _Direct(free, self._queue), [writer for writer in writers if writer in busy]


class _Direct:
    """Sockets with nothing on their way. With `keep` they are sent to more than once.

    The kernel's `send` drives everything else out of the processor's cache. A loop over writers would then find each writer, and its
    socket, in memory again; a loop over sockets finds only the sockets, and io_uring neither.
    """

    __slots__ = ("_queue", "_writers", "_sockets", "_io_uring", "_requests")

    def __init__(self, writers: list[SocketWriter], queue: WriteQueue, keep=False):
        self._queue, self._writers, self._sockets = queue, writers, [writer.socket for writer in writers]
        self._io_uring = self._requests = None
        # Where a number could belong to another socket meanwhile, the sockets are sent to one by one.
        if keep and queue.io_uring is not None and None not in (numbers := [writer.number for writer in writers]):
            self._io_uring, self._requests = queue.io_uring, queue.io_uring.requests(numbers)

    def send(self, data: bytes):
        """Send it, and leave to the writers what their sockets did not take."""
        ring = self._io_uring
        if ring is not None and ring is self._queue.io_uring and len(data) <= io_uring.MOST_BYTES:
            failed = self._at_once(data)
        else:
            failed = self._one_by_one(data)
        for place, result in failed:
            if result >= 0 or -result in (errno.EAGAIN, errno.EINTR):
                self._writers[place].take_on(memoryview(data)[max(0, result) :])
            else:
                self._writers[place].break_off(OSError(-result, os.strerror(-result)))

    def _at_once(self, data):
        try:
            return self._io_uring.send(self._requests, data)
        except Exception:
            # Nobody knows who has it. They come back with their cursors, and are sent to one by one.
            logger.exception("io_uring failed, and is not used any more")
            self._queue.io_uring = None
            self._io_uring.close()
            return [(place, -errno.EIO) for place in range(len(self._writers))]

    def _one_by_one(self, data):
        # The hottest loop of an instance: it looks at nothing but the sockets.
        size, failed = len(data), []
        for place, socket in enumerate(self._sockets):
            try:
                sent = socket.send(data)
            except OSError as error:
                sent = -error.errno
            if sent != size:
                failed.append((place, sent))
        return failed
