"""When Python's garbage collector searches for cycles, and through which objects. The instance stands still while it searches.

A search through the objects of all idle sockets takes long and never finds anything: the objects of a socket go by their reference
counts when it closes (tests/web/test_websocket.py). So new sockets are frozen (`gc.freeze`) where no search looks, some at a time, after
a search through the new ones alone. docs/architecture.md has the figures.

A cycle that was alive when it was frozen, and became garbage later, stays. That is rare, and memory is bounded all the same: when there
are twice as many frozen objects as the sockets and chats account for, one search goes through everything, however long that takes.
"""

import asyncio
import gc

from realtime.stream.hub import Hub

SECONDS = 0.25  # between two looks at the hub
SOCKETS = 100  # new ones that are frozen together
# The thresholds of the collector: so many new objects start a search through them, and so many of these searches one through their
# survivors too. With Python's own thresholds there are fewer pauses, but much longer ones.
YOUNG = (1000, 5)
OF_SOCKET, OF_CHAT = 40, 15  # roughly how many objects belong to a socket and to a followed chat
SPARE = 100_000  # further objects that may be frozen


class GcPolicy:
    """The searches of the instance with this hub."""

    def __init__(self, hub: Hub):
        self._hub = hub
        self._seen = 0  # how many sockets had ever connected when they were last frozen
        self._kept = 0  # objects that the last search through everything left

    def start(self):
        """Freeze the objects that live as long as the process."""
        gc.set_threshold(*YOUNG)
        self._search()

    async def run(self):
        """Freeze new sockets as they come."""
        while True:
            await asyncio.sleep(SECONDS)
            if self._hub.ever_connected - self._seen >= SOCKETS:
                self.freeze()

    def freeze(self):
        """Freeze all objects that are alive, and search everything if too many are frozen."""
        self._seen = self._hub.ever_connected
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
