"""All consumers' work in one instance. The face of `workers` to the server."""

import asyncio

from workers.consumers import CONSUMERS
from workers.worker import Limits, Worker


class Workers:
    """Started and stopped with its instance; `committed(chat_id)` is told of each event that was committed here."""

    def __init__(self, db, limits: Limits = Limits(), consumers=CONSUMERS):
        turns = asyncio.Semaphore(limits.workers_at_once)
        self._workers = [Worker(db, consumer, limits, turns) for consumer in consumers]

    def committed(self, chat_id: str):
        """The work for this chat is owed from now on. Costs an entry in a dict for each consumer; nothing here looks whether the chat concerns it."""
        for worker in self._workers:
            worker.note(chat_id)

    def start(self):
        for worker in self._workers:
            worker.start()

    async def stop(self, seconds: float = 2.0):
        """Finish what was committed here, for up to so many seconds. What is left is found by the other instances."""
        await asyncio.gather(*(worker.stop(seconds) for worker in self._workers))
