"""States to the clients here: absolute values. An older value is never sent after a newer one.

A value that arrives ahead of the events that it reflects waits for them. Unread counts that nobody published, or that Redis lost, are
read from the database, several of one chat together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import metrics
from chat import unread
from chat.channels import CHANNELS, STATES, Audience
from chat.events import Event
from chat.states import Age
from errors import ParleyError
from realtime.protocol import frames
from realtime.stream.chat_stream import ChatStream
from realtime.stream.hub import Hub
from store.database import Database

if TYPE_CHECKING:
    from realtime.stream.client import Client
    from realtime.stream.event_stream import EventStream

logger = logging.getLogger("parley.latest_values")

COUNT = "unreadCountUpdated"
COUNT_DELAY = 0.1  # seconds for which stale unread counts of one chat are collected before they are read
COUNT_RETRY = 1.0
MAX_WAITING = 1000


class LatestValues:
    """The states of one instance. `event_stream` pulls the events that a state is ahead of, and runs the repairs."""

    def __init__(self, db: Database, hub: Hub, event_stream: EventStream):
        self._db = db
        self._hub = hub
        self._event_stream = event_stream

    def offer(self, stream: ChatStream, event: Event):
        """Take a state from Redis, from this instance's own commit or from the database."""
        if event.meta.get("head", event.seq) > stream.position:
            # It may reflect something from after a removal that has not been delivered yet.
            if len(stream.waiting) < MAX_WAITING:
                stream.waiting.append(event)
            self._event_stream.pull(stream, event.meta.get("head", event.seq), "state")
        else:
            self.send(stream, event)

    def offer_waiting(self, stream: ChatStream):
        """Take the waiting states again: the instance is at another position of this chat."""
        waiting, stream.waiting = stream.waiting, []
        for event in waiting:
            self.offer(stream, event)

    def send(self, stream: ChatStream, event: Event):
        """Send a value to its audience here, unless a newer one was sent."""
        state = STATES[event.channel]
        if CHANNELS[event.channel].audience is Audience.USER:
            users_clients = self._hub.users.get(event.data["userId"])
            if not users_clients:
                return  # whoever connects later gets the present value then
            clients = [client for client in users_clients if stream.chat_id in client.streams]
        else:
            clients = stream.clients()
        age = self._age(stream, event)
        if age is Age.NEWER:
            stream.latest[state.key_of(event)] = state.kept(event)
            self._send(event, clients)
        elif age is Age.UNCLEAR:
            self.refresh_counts(stream, {event.data["userId"]})

    def send_afresh(self, client: Client, event: Event):
        """Send a value that was just read from the database to one client, or the newer one that its user's others got meanwhile."""
        stream = client.streams.get(event.chat_id)
        if stream is None:
            return
        if CHANNELS[event.channel].audience is not Audience.USER:
            client.send_state(event)
        elif self._age(stream, event) is Age.STALE:
            client.send_state(self.known(stream, event))
        else:
            self.send(stream, event)  # to the user's other clients too

    def is_known(self, stream: ChatStream, event: Event) -> bool:
        """Whether this value, or a newer one, was sent here."""
        return self._age(stream, event) is Age.STALE

    def known(self, stream: ChatStream, event: Event) -> Any:
        """What the channel's row kept of the value that this one would replace; None where there is none."""
        return stream.latest.get(STATES[event.channel].key_of(event))

    def _age(self, stream: ChatStream, event: Event) -> Age:
        return STATES[event.channel].age(self.known(stream, event), event)

    def _send(self, event: Event, clients: list[Client]):
        wanting = [client for client in clients if event.channel in client.channels]
        if wanting:
            frame = frames.encode(frames.of_event(event))
            for client in wanting:
                if not client.try_send(frame):
                    client.missed_state(event)
            metrics.deliveries.counts[event.channel] += len(wanting)
            if self._event_stream.trace is not None:
                self._event_stream.trace.delivered(event.channel, event, len(wanting))

    # Unread counts

    def refresh_counts(self, stream: ChatStream, user_ids: Iterable[str] | None):
        """Read the unread counts of these users' clients here (None: of all) after a short delay, and send those that are new."""
        if not self._hub.listening[COUNT]:
            return
        wanting = {client.user_id for client in stream.clients() if COUNT in client.channels}
        wanting = wanting if user_ids is None else wanting & set(user_ids)
        if not wanting:
            return
        if stream.stale_counts is None:
            stream.stale_counts = wanting
            self._event_stream.repair(self._refresh_counts(stream))
        else:
            stream.stale_counts |= wanting

    def demand_counts(self, stream: ChatStream):
        """Read the counts that should have come after an event and did not."""
        event, stream.count_due = stream.count_due, None
        if event is not None:
            counts = [kept for (channel, *_), kept in stream.latest.items() if channel == COUNT]
            # No count is published for a sender who had read everything, so one who has none unread misses none.
            fresh = (
                count.data["userId"]
                for count in counts
                if count.seq >= event.seq
                or count.data["userId"] == event.data.get("senderId")
                and not count.data["unreadCount"]
            )
            self.refresh_counts(stream, stream.user_ids().difference(fresh))

    async def _refresh_counts(self, stream: ChatStream):
        pause = COUNT_DELAY
        while stream.stale_counts and self._hub.is_open(stream):
            await asyncio.sleep(pause)
            users, stream.stale_counts = stream.stale_counts, set()
            try:
                async with self._event_stream.repairs:
                    events = await unread.counts(self._db, stream.chat_id, users)
                pause = COUNT_DELAY
            except ParleyError as error:
                logger.warning("counts of chat %s failed: %s", stream.chat_id, getattr(error, "why", error))
                stream.stale_counts |= users
                events, pause = [], COUNT_RETRY
            for event in events:
                if self._hub.is_open(stream):
                    self.offer(stream, event)
        stream.stale_counts = None
