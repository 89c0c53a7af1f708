"""Broadcasts: the same bytes to many sockets. A socket with bytes still queued gets them through its own queue, all others directly."""

import errno
import logging
import os
from collections.abc import Iterable
from typing import Generic, TypeVar

from realtime.transport import io_uring
from realtime.transport.backpressure import Backpressure
from realtime.transport.socket_writer import SocketWriter
from realtime.transport.write_queue import WriteQueue

logger = logging.getLogger("parley.broadcast")

MANY = 12  # From so many members on their socket list is kept. For fewer, a system call for all saves nothing.
MOST_OUTGOING_BYTES = 64 * 1024  # of one broadcast that wait together for the end of a turn of the loop
NO_FRAMES: list[bytes] = ()  # type: ignore[assignment]  # an idle broadcast has no list of its own; it gets one with its first frame

Member = TypeVar("Member")
Since = TypeVar("Since")


class Broadcast(Generic[Member, Since]):
    """Members that get the same frames, each with its `SocketWriter`, and the frames that have not left yet.

    It keeps one rule: frames that were delivered to all leave before a member joins, leaves or gets a frame of its own. So every method
    that changes or shows the members settles first. A subclass decides in `too_slow` what becomes of a member whose socket has no room.
    """

    __slots__ = ("_queue", "_backpressure", "_writers", "_outgoing", "_outgoing_bytes", "_outgoing_since", "_direct")

    def __init__(self, queue: WriteQueue, backpressure: Backpressure):
        self._queue = queue
        self._backpressure = backpressure
        self._writers: dict[Member, SocketWriter] = {}
        self._outgoing = NO_FRAMES
        self._outgoing_bytes = 0
        self._outgoing_since: Since  # of the first outgoing frame
        # Caches the socket list of a large audience until its membership changes: (`_Direct`, its writers as a set). It is None after a
        # change, and () when the membership has lasted for one broadcast.
        self._direct: tuple[_Direct, frozenset[SocketWriter]] | tuple[()] | None = None

    # Members

    def members(self) -> list[Member]:
        """The members that had room for all frames so far and get the next one."""
        self.settle()
        return list(self._writers)

    def is_member(self, member: Member) -> bool:
        """Whether it is among `members()`."""
        self.settle()
        return member in self._writers

    def join(self, member: Member, writer: SocketWriter):
        """The member gets the frames from here on."""
        self.settle()
        self._direct = None
        if member not in self._writers:
            writer.join()
        self._writers[member] = writer

    def leave(self, member: Member):
        """The member gets no further frame. It need not have been one."""
        self.settle()
        self._direct = None
        if (writer := self._writers.pop(member, None)) is not None:
            writer.leave()

    def settle(self):
        """Move the frames that have not left into the queue of each member."""
        if self._outgoing:
            self._queue.settle()

    # Frames

    def deliver(self, frame: bytes, since: Since):
        """Send a ready frame to all members at the end of this turn of the loop. A member without room for it goes to `too_slow`.

        `too_slow` gets the `since` of the first frame that the member misses.
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

    def flush(self, direct: bool):
        """The queue calls it. With `direct`, at the end of the turn, sockets with nothing queued are written to at once."""
        data, self._outgoing = b"".join(self._outgoing), NO_FRAMES
        idle, writers = self._split() if direct else (None, list(self._writers.values()))
        full, size, takes = set(), len(data), self._backpressure.takes
        for writer in writers:
            if takes(writer, size):
                writer.send(data)
            else:
                full.add(writer)
        if idle is not None:
            idle.send(data)
        if full:
            for member in [member for member, writer in self._writers.items() if writer in full]:
                self.too_slow(member, self._outgoing_since)

    def too_slow(self, member: Member, since: Since):
        """The member had no room for the frames from `since` on, and got none of them."""
        raise NotImplementedError

    def _split(self) -> tuple["_Direct", list[SocketWriter]]:
        """The sockets of the members with nothing queued, and the writers of the others."""
        busy = self._queue.busy
        if self._direct and busy.isdisjoint(self._direct[1]):
            return self._direct[0], []
        if busy.isdisjoint(self._writers.values()):
            writers = list(self._writers.values())
            if len(writers) < MANY:
                return _Direct(writers, self._queue), []
            if self._direct is None:
                self._direct = ()
                return _Direct(writers, self._queue), []
            self._direct = _Direct(writers, self._queue, keep=True), frozenset(writers)
            return self._direct[0], []
        free = [writer for writer in self._writers.values() if writer not in busy]
        return _Direct(free, self._queue), [writer for writer in self._writers.values() if writer in busy]


class _Direct:
    """Sockets with nothing queued. With `keep` the object serves for more than one broadcast.

    The kernel's `send` evicts everything else from the processor's cache. After each call, a loop over writers has to fetch the next
    writer and its socket from memory, a loop over sockets only the socket, and io_uring neither.
    """

    __slots__ = ("_queue", "_writers", "_sockets", "_io_uring", "_requests")

    def __init__(self, writers: list[SocketWriter], queue: WriteQueue, keep=False):
        self._queue, self._writers, self._sockets = queue, writers, [writer.socket for writer in writers]
        self._io_uring: io_uring.IoUring | None = None
        self._requests: list[bytearray] | None = None
        if keep and queue.io_uring is not None:
            numbers = [writer.number for writer in writers if writer.number is not None]
            # A writer without a number cannot tell when its file descriptor becomes another socket's. Then all are sent to one by one.
            if len(numbers) == len(writers):
                self._io_uring, self._requests = queue.io_uring, queue.io_uring.requests(numbers)

    def send(self, data: bytes):
        """Send it to all; each writer takes over what its socket did not take."""
        uring, requests = self._io_uring, self._requests
        if uring is None or requests is None or uring is not self._queue.io_uring or len(data) > io_uring.MOST_BYTES:
            failed = self._one_by_one(data)
        else:
            failed = self._at_once(uring, requests, data)
        for place, result in failed:
            if result >= 0 or -result in (errno.EAGAIN, errno.EINTR):
                self._writers[place].take_on(memoryview(data)[max(0, result) :])
            else:
                self._writers[place].break_off(OSError(-result, os.strerror(-result)))

    def _at_once(self, uring: io_uring.IoUring, requests: list[bytearray], data: bytes) -> Iterable[tuple[int, int]]:
        try:
            return uring.send(requests, data)
        except Exception:
            # It is unknown which sockets took the bytes, so all are closed. Their clients come back with cursors, without io_uring.
            logger.exception("io_uring failed, and is not used any more")
            self._queue.io_uring = None
            uring.close()
            return [(place, -errno.EIO) for place in range(len(self._writers))]

    def _one_by_one(self, data: bytes) -> Iterable[tuple[int, int]]:
        # The hottest loop of an instance: it touches nothing but the sockets.
        size, failed = len(data), []
        for place, socket in enumerate(self._sockets):
            try:
                sent = socket.send(data)
            except OSError as error:
                sent = -(error.errno or errno.EIO)
            if sent != size:
                failed.append((place, sent))
        return failed
