"""Compares an instance with PostgreSQL and repairs what differs: all its chats at every check, and those that it has just subscribed to."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from itertools import islice

import metrics
from chat import head_check
from chat.channels import CHANNELS, STATES, Audience
from errors import ParleyError
from realtime.stream.event_stream import EventStream
from realtime.stream.hub import Hub
from store.database import Database

logger = logging.getLogger("parley.reconciler")

CHATS = 1000  # compared at a time after they were subscribed to
RETRY_SECONDS = 0.5


class Reconciler:
    """The comparisons of one instance. `epoch()` is the history of the database that the instance believes in."""

    def __init__(self, db: Database, hub: Hub, event_stream: EventStream, epoch: Callable[[], str]):
        self._db = db
        self._epoch = epoch
        self._hub = hub
        self._event_stream = event_stream
        self._fresh: dict[
            str, float
        ] = {}  # chats to compare → the monotonic time since when they may have missed something
        self._comparing = False

    async def check(
        self, session_ids: Collection[str], since: datetime | None, doubtful: bool = True
    ) -> head_check.Changes:
        """Compare this instance with PostgreSQL and repair what differs; with `since`, also the states that moved since then.

        `doubtful` says that publications may have been lost, so that a watermark may have come without its count. Otherwise only those
        states matter that never came: their instance died after the commit, or did not get the database's answer. Raises `Unavailable`.
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
            await self._offer_moved(list(streams), since, doubtful)
        return changes

    def compare(self, chats: dict[str, float]):
        """Compare these chats soon. Each may have missed something since its monotonic time."""
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

    async def _compare_some(self, chats: dict[str, float]):
        positions = {chat_id: stream.position for chat_id in chats if (stream := self._hub.streams.get(chat_id))}
        if not positions:
            return
        changes = await head_check.changes(self._db, positions, {}, [])
        if changes.epoch != self._epoch():
            return  # the next check closes all clients
        self._pull(changes.heads, "subscribed")
        # By the database's clock. It answered a moment ago, so this is rather too early than too late.
        since = changes.at - timedelta(seconds=time.monotonic() - min(chats.values()))
        await self._offer_moved(list(positions), since, doubtful=True)

    def _pull(self, heads: dict[str, int], reason: str):
        for chat_id, head in heads.items():
            stream = self._hub.streams.get(chat_id)
            if stream is not None and head > stream.position:
                self._event_stream.pull(stream, head, reason)

    async def _offer_moved(self, chat_ids: list[str], since: datetime, doubtful: bool):
        """Offer the states of these chats that moved since then, and refresh the unread counts that they change."""
        values = self._event_stream.latest_values
        for channel, state in STATES.items():
            if state.moved is None:
                continue
            changes_count = CHANNELS[channel].unread_of is Audience.USER
            for event in await state.moved(self._db, chat_ids, since):
                stream = self._hub.streams.get(event.chat_id)
                if stream is not None and (doubtful or not values.is_known(stream, event)):
                    values.offer(stream, event)
                    if changes_count and event.data["userId"] in self._hub.users:
                        values.refresh_counts(stream, {event.data["userId"]})
