"""What many sockets get alike: to all of them straight, but for the few on whose way something is, and with one system call where that can be had."""

import errno
import logging
import os

from realtime.transport import io_uring
from realtime.transport.socket_writer import SocketWriter, write_queue

logger = logging.getLogger("parley.delivery")

MANY = 12  # wires for which it is worth to keep a list of their sockets, 150 bytes for each of them; one system call then takes no longer than as many


class Broadcast(dict):
    """Wires that get the same, by whom they lead to. Of many, what a broadcast needs of them is kept until somebody comes or goes."""

    __slots__ = ("_kept",)

    def __init__(self):
        self._kept = None  # (the way to all, the wires as a set); empty where it has not yet stayed as it is for a whole broadcast

    def __setitem__(self, key, writer):
        self._kept = None
        if key not in self:
            writer.join()
        super().__setitem__(key, writer)

    def pop(self, key, default=None):
        self._kept = None
        if (writer := super().pop(key, None)) is None:
            return default
        writer.leave()
        return writer

    def apart(self) -> tuple["_Free", list[SocketWriter]]:
        """The wires on whose way nothing is, and the others."""
        busy = write_queue.busy
        if self._kept and busy.isdisjoint(self._kept[1]):
            return self._kept[0], []
        if busy.isdisjoint(self.values()):
            writers = list(self.values())
            if len(writers) < MANY:
                return _Free(writers), []
            if self._kept is None:
                self._kept = ()
                return _Free(writers), []
            self._kept = _Free(writers, keep=True), frozenset(writers)
            return self._kept[0], []
        return _Free([writer for writer in self.values() if writer not in busy]), [
            writer for writer in self.values() if writer in busy
        ]


class _Free:
    """Wires on whose way nothing is. With `keep` they are sent to more than once.

    The kernel's `send` drives everything else out of the processor's cache. A loop over wires finds each of them, and then its socket,
    in memory: over unix sockets a twelfth of a delivery more than a loop over sockets. The ring needs neither.
    """

    __slots__ = ("_wires", "_sockets", "_io_uring", "_orders")

    def __init__(self, writers: list[SocketWriter], keep=False):
        self._wires, self._sockets, self._io_uring, self._orders = (
            writers,
            [writer.socket for writer in writers],
            None,
            None,
        )
        # Where one of the numbers could be another socket's meanwhile, sockets are sent to by themselves.
        if keep and write_queue.io_uring is not None and None not in (numbers := [writer.number for writer in writers]):
            self._io_uring, self._orders = write_queue.io_uring, write_queue.io_uring.orders(numbers)

    def send(self, data: bytes):
        """Send it straight, and leave to the wires what their sockets did not take."""
        if self._io_uring is not None and self._io_uring is write_queue.io_uring and len(data) <= io_uring.MOST_BYTES:
            failed = self._ordered(data)
        else:
            failed = self._one_by_one(data)
        for place, result in failed:
            if result >= 0 or -result in (errno.EAGAIN, errno.EINTR):
                self._wires[place].take_on(memoryview(data)[max(0, result) :])
            else:
                self._wires[place].break_off(OSError(-result, os.strerror(-result)))

    def _ordered(self, data):
        try:
            return self._io_uring.send(self._orders, data)
        except Exception:
            # Nobody knows who has it. They come back with their cursors, and are sent to one by one.
            logger.exception("io_uring failed, and is not used any more")
            write_queue.io_uring = None
            self._io_uring.close()
            return [(place, -errno.EIO) for place in range(len(self._wires))]

    def _one_by_one(self, data):
        # A million times a minute: the loop looks at nothing but the sockets.
        size, failed = len(data), []
        for place, socket in enumerate(self._sockets):
            try:
                sent = socket.send(data)
            except OSError as error:
                sent = -error.errno
            if sent != size:
                failed.append((place, sent))
        return failed


def send_to_all(crowd: Broadcast, data: bytes, limit: int, now: bool) -> set[SocketWriter]:
    """The same bytes to all wires of a crowd; those are answered that would have more than `limit` bytes unsent, and get nothing.

    With `now`, it is the end of the tick: where nothing else waits, the bytes go straight to the socket.
    """
    free, others = crowd.apart() if now else (None, list(crowd.values()))
    full, size = set(), len(data)
    for writer in others:
        if (waiting := writer.unsent + writer.queued) and waiting + size > limit:
            full.add(writer)
        else:
            writer.send(data)
    if free is not None:
        free.send(data)
    return full
