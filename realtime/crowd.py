"""What many sockets get alike: to all of them straight, but for the few on whose way something is, and with one system call where that can be had."""

import errno
import logging
import os

from realtime import ring
from realtime.wire import Wire, tick

logger = logging.getLogger("parley.delivery")

MANY = 12  # wires for which it is worth to keep a list of their sockets, 150 bytes for each of them; one system call then takes no longer than as many


class Crowd(dict):
    """Wires that get the same, by whom they lead to. Of many, what a broadcast needs of them is kept until somebody comes or goes."""

    __slots__ = ("_kept",)

    def __init__(self):
        self._kept = None  # (the way to all, the wires as a set); empty where it has not yet stayed as it is for a whole broadcast

    def __setitem__(self, key, wire):
        self._kept = None
        if key not in self:
            wire.join()
        super().__setitem__(key, wire)

    def pop(self, key, default=None):
        self._kept = None
        if (wire := super().pop(key, None)) is None:
            return default
        wire.leave()
        return wire

    def apart(self) -> tuple["_Free", list[Wire]]:
        """The wires on whose way nothing is, and the others."""
        busy = tick.busy
        if self._kept and busy.isdisjoint(self._kept[1]):
            return self._kept[0], []
        if busy.isdisjoint(self.values()):
            wires = list(self.values())
            if len(wires) < MANY:
                return _Free(wires), []
            if self._kept is None:
                self._kept = ()
                return _Free(wires), []
            self._kept = _Free(wires, keep=True), frozenset(wires)
            return self._kept[0], []
        return _Free([wire for wire in self.values() if wire not in busy]), [
            wire for wire in self.values() if wire in busy
        ]


class _Free:
    """Wires on whose way nothing is. With `keep` they are sent to more than once.

    The kernel's `send` drives everything else out of the processor's cache. A loop over wires finds each of them, and then its socket,
    in memory: over unix sockets a twelfth of a delivery more than a loop over sockets. The ring needs neither.
    """

    __slots__ = ("_wires", "_sockets", "_ring", "_orders")

    def __init__(self, wires: list[Wire], keep=False):
        self._wires, self._sockets, self._ring, self._orders = wires, [wire.socket for wire in wires], None, None
        # Where one of the numbers could be another socket's meanwhile, sockets are sent to by themselves.
        if keep and tick.ring is not None and None not in (numbers := [wire.number for wire in wires]):
            self._ring, self._orders = tick.ring, tick.ring.orders(numbers)

    def send(self, data: bytes):
        """Send it straight, and leave to the wires what their sockets did not take."""
        if self._ring is not None and self._ring is tick.ring and len(data) <= ring.MOST_BYTES:
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
            return self._ring.send(self._orders, data)
        except Exception:
            # Nobody knows who has it. They come back with their cursors, and are sent to one by one.
            logger.exception("io_uring failed, and is not used any more")
            tick.ring = None
            self._ring.close()
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


def send_to_all(crowd: Crowd, data: bytes, limit: int, now: bool) -> set[Wire]:
    """The same bytes to all wires of a crowd; those are answered that would have more than `limit` bytes unsent, and get nothing.

    With `now`, it is the end of the tick: where nothing else waits, the bytes go straight to the socket.
    """
    free, others = crowd.apart() if now else (None, list(crowd.values()))
    full, size = set(), len(data)
    for wire in others:
        if (waiting := wire.unsent + wire.queued) and waiting + size > limit:
            full.add(wire)
        else:
            wire.send(data)
    if free is not None:
        free.send(data)
    return full
