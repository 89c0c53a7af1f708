"""Pings for all sockets of an instance, by one timer."""

import asyncio


class Heartbeat:
    """Pings every socket each `interval` seconds, and drops those that have not answered the last one; never where it is 0.

    A hundredth of them is pinged in each hundredth of the interval, and never all at once. A socket has `ping()`, `drop()`, and for
    this class's own use `answered` and `beat`.
    """

    BEATS = 100

    def __init__(self, interval: float):
        self._seconds = interval / self.BEATS
        self._beats: list[set] = [set() for _ in range(self.BEATS)]
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket):
        """A new socket; its first ping comes after one interval."""
        if self._seconds:
            socket.answered = True
            socket.beat = self._beats[self._turn]
            socket.beat.add(socket)
            if self._timer is None:
                self._later()

    def discard(self, socket):
        """It closes."""
        if socket.beat is not None:
            socket.beat.discard(socket)
            socket.beat = None

    def _later(self):
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ping)

    def _ping(self):
        self._timer = None
        self._turn = (self._turn + 1) % self.BEATS
        for socket in list(self._beats[self._turn]):
            if socket.answered:
                socket.answered = False
                socket.ping()
            else:
                socket.drop()  # nobody is there who could answer a close frame
        if any(self._beats):
            self._later()
