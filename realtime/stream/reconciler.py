"""Comparing an instance with the truth in PostgreSQL, and repairing what differs: of everything, and of chats just subscribed to."""

import asyncio
import logging
import time
from datetime import timedelta
from itertools import islice

import metrics
from chat import head_check
from chat.channels import STATES
from errors import ParleyError
from realtime.stream.event_stream import EventStream
from realtime.stream.hub import Hub

logger = logging.getLogger("parley.reconciler")

CHATS = 1000  # compared at a time after they were subscribed to
RETRY_SECONDS = 0.5
READ = "messageReadUpdated"


class Reconciler:
    """The checks of one instance, whose history is `epoch()`."""

    def __init__(self, db, hub: Hub, event_stream: EventStream, epoch):
        self._db = db
        self._epoch = epoch
        self._hub = hub
        self._event_stream = event_stream
        self._fresh: dict[str, float] = {}  # chats to compare; since when they may have missed something
        self._comparing = False

    async def check(self, session_ids, since, doubtful=True) -> head_check.Changes:
        """Compare this instance with the truth and repair what differs; with `since`, states that moved since then too.

        Where nothing was `doubtful`, only those of them count that nobody has told: their instance died after the commit, or never
        got the database's answer. Otherwise counts may be missing whose watermark came. Raises `Unavailable`.
        """
        streams = self._hub.streams
        changes = await head_check.changes(
            self._db, {chat_id: stream.position for chat_id, stream in streams.items()}, self._hub.versions, session_ids
        )
        metrics.head_checks.labels("behind" if changes.heads or changes.users else "same").inc()
        if changes.epoch != self._epoch():
            return changes
        self._pull(changes.heads, "heads")
        await self._event_stream.refresh_memberships(changes.users)
        for stream in list(streams.values()):
            self._event_stream.latest_values.demand_counts(stream)
        if since is not None and streams:
            await self._tell_states(list(streams), since, doubtful)
        return changes

    def compare(self, chats: dict[str, float]):
        """Compare these chats, soon and together, which may have missed something since these monotonic times."""
        for chat_id, since in chats.items():
            self._fresh[chat_id] = min(since, self._fresh.get(chat_id, since))
        if self._fresh and not self._comparing:
            self._comparing = True
            self._event_stream.repair(self._compare())

    async def _compare(self):
        try:
            while self._fresh:
                chosen = {chat_id: self._fresh.pop(chat_id) for chat_id in list(islice(self._fresh, CHATS))}
                try:
                    async with self._event_stream.repairs:
                        await self._compare_some(chosen)
                except ParleyError as error:
                    logger.warning("chats could not be compared: %s", getattr(error, "why", error))
                    for chat_id, since in chosen.items():
                        self._fresh[chat_id] = min(since, self._fresh.get(chat_id, since))
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._comparing = False

    async def _compare_some(self, chats):
        positions = {chat_id: stream.position for chat_id in chats if (stream := self._hub.streams.get(chat_id))}
        if not positions:
            return
        changes = await head_check.changes(self._db, positions, {}, [])
        if changes.epoch != self._epoch():
            return  # the next check of everything ends all that is open
        self._pull(changes.heads, "subscribed")
        # By the clock of the database. It was asked before now, so this is rather too early than too late.
        since = changes.at - timedelta(seconds=time.monotonic() - min(chats.values()))
        await self._tell_states(list(positions), since, doubtful=True)

    def _pull(self, heads, reason):
        for chat_id, head in heads.items():
            stream = self._hub.streams.get(chat_id)
            if stream is not None and head > stream.position:
                self._event_stream.pull(stream, head, reason)

    async def _tell_states(self, chat_ids, since, doubtful):
        values = self._event_stream.latest_values
        for state in [state for state in STATES.values() if state.moved is not None]:
            for event in await state.moved(self._db, chat_ids, since):
                stream = self._hub.streams.get(event.chat_id)
                if stream is not None and (doubtful or not values.is_known(stream, event)):
                    values.offer(stream, event)
                    if event.channel == READ and event.data["userId"] in self._hub.users:
                        values.refresh_counts(stream, {event.data["userId"]})  # whoever reads has less unread
