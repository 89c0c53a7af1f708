"""When Python searches for garbage in cycles, and through what. While it does, the instance stands still.

An idle socket is some thirty objects, and a full search through those of 10,000 took 123 ms. It never finds one: what a socket
holds goes by its reference counts when it closes (tests/web/test_websocket.py). So sockets that have come are put where no
search looks (`gc.freeze`), a hundred at a time, after a search through these alone: 3 to 6 ms, on CPython 3.10 to 3.13.

A cycle that was alive just then, and is garbage later, stays. That is rare, and it is counted: where frozen objects have become
twice as many as there should be, everything is searched once, however long that takes, so that memory is bounded.
"""

import asyncio
import gc

SECONDS = 0.25  # between two looks
SOCKETS = 100  # that have come, until they are frozen
# Objects that are new until they are searched, and such searches until one goes through their survivors as well: 2 to 4 ms. Python's
# own 10 (and in 3.13, 2000 objects) make it 7 to 12 ms.
YOUNG = (1000, 5)
OF_SOCKET, OF_CHAT = 40, 15  # objects, about, of a socket and of a watched chat
SPARE = 100_000  # objects frozen besides


class GcPolicy:
    """The searches of one instance with this hub."""

    def __init__(self, hub):
        self._hub = hub
        self._seen = 0  # of the sockets that have ever come
        self._kept = 0  # objects that a search through everything has left

    def start(self):
        """Freeze what lives as long as the process."""
        gc.set_threshold(*YOUNG)
        self._search()

    async def run(self):
        """Freeze sockets as they come."""
        while True:
            await asyncio.sleep(SECONDS)
            if self._hub.opened - self._seen >= SOCKETS:
                self.freeze()

    def freeze(self):
        """Freeze what lives, and search everything if too much is frozen."""
        self._seen = self._hub.opened
        gc.collect()
        gc.freeze()
        if (
            gc.get_freeze_count()
            > 2 * self._kept + OF_SOCKET * len(self._hub.clients) + OF_CHAT * len(self._hub.streams) + SPARE
        ):
            self._search()

    def _search(self):
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._kept = gc.get_freeze_count()
