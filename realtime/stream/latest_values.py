"""Unread counts and watermarks to the sockets here: absolute values, of which a newer one is never followed by an older.

A value that comes ahead of the events that it tells of waits for them. Counts that nobody published, or that were lost on their way, are
worked out from the database, some together and some later.
"""

import asyncio
import logging

import metrics
from chat import unread
from chat.events import Event
from chat.unread import Age
from errors import ParleyError
from realtime.protocol import frames
from realtime.stream.chat_stream import ChatStream
from realtime.stream.hub import Hub

logger = logging.getLogger("parley.latest_values")

COUNT_DELAY = 0.1  # unread counts of large chats are worked out together for so long
COUNT_RETRY = 1.0
MAX_WAITING = 1000


class LatestValues:
    """The states of one instance. `feed` pulls the events that a state is ahead of, and runs what is to be repaired."""

    def __init__(self, db, hub: Hub, event_stream):
        self._db = db
        self._hub = hub
        self._event_stream = event_stream

    def offer(self, stream: ChatStream, event: Event):
        """A state from Redis, from this instance's own commit or from the database."""
        if event.meta.get("head", event.seq) > stream.position:
            # It may tell of something after a removal that has not been delivered yet.
            if len(stream.waiting) < MAX_WAITING:
                stream.waiting.append(event)
            self._event_stream.pull(stream, event.meta.get("head", event.seq), "state")
        elif event.channel == "unreadCountUpdated":
            self.send_count(stream, event)
        else:
            self._send_read(stream, event)

    def offer_waiting(self, stream: ChatStream):
        """The instance has come to another position of this chat."""
        waiting, stream.waiting = stream.waiting, []
        for event in waiting:
            self.offer(stream, event)

    def send_count(self, stream: ChatStream, event: Event):
        """Tell a user's sockets their unread count, unless they were told a newer one."""
        user_id = event.data["userId"]
        clients = self._hub.users.get(user_id)
        if not clients:
            return  # nobody here was told, and whoever comes is told how they stand
        age = _age(stream.counts.get(user_id), event)
        if age is Age.NEWER:
            stream.counts[user_id] = event
            self._send_state(event, [s for s in clients if stream.chat_id in s.streams])
        elif age is Age.UNCLEAR:
            self.refresh_counts(stream, {user_id})

    def _send_read(self, stream, event):
        user_id = event.data["userId"]
        if event.seq > stream.reads.get(user_id, 0):
            stream.reads[user_id] = event.seq
            self._send_state(event, stream.clients())

    def _send_state(self, event, clients):
        wanting = [client for client in clients if event.channel in client.channels]
        if wanting:
            frame = frames.encode(frames.of_event(event))
            for client in wanting:
                if not client.try_send(frame):
                    client.missed_state(event)
            metrics.deliveries.counts[event.channel] += len(wanting)
            if self._event_stream.trace is not None:
                self._event_stream.trace.delivered(event.channel, event, len(wanting))

    def refresh_counts(self, stream: ChatStream, user_ids):
        """Work out the unread counts of these users' sockets here (None: of all) and send those that are new; soon, and together."""
        if not self._hub.listening["unreadCountUpdated"]:
            return
        wanting = {s.user_id for s in stream.clients() if "unreadCountUpdated" in s.channels}
        wanting = wanting if user_ids is None else wanting & set(user_ids)
        if not wanting:
            return
        if stream.stale_counts is None:
            stream.stale_counts = wanting
            self._event_stream.repair(self._refresh_counts(stream))
        else:
            stream.stale_counts |= wanting

    def demand_counts(self, stream: ChatStream):
        """Work out the counts that should have come after an event and did not."""
        event, stream.count_due = stream.count_due, None
        if event is not None:
            # Only a sender who had read everything is told nothing.
            fresh = (
                user_id
                for user_id, count in stream.counts.items()
                if count.seq >= event.seq or (user_id == event.data.get("senderId") and not count.data["unreadCount"])
            )
            self.refresh_counts(stream, stream.user_ids().difference(fresh))

    async def _refresh_counts(self, stream):
        pause = COUNT_DELAY
        while stream.stale_counts and self._event_stream.watched(stream):
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
                if self._event_stream.watched(stream):
                    self.offer(stream, event)
        stream.stale_counts = None

    def count_afresh(self, client, event: Event):
        """Tell a socket its user's unread count as just read from the database, or a newer one that others were told meanwhile."""
        stream = client.streams.get(event.chat_id)
        if stream is None:
            return
        known = stream.counts.get(client.user_id)
        if _age(known, event) is Age.STALE:
            client.send_state(known)
        else:
            self.send_count(stream, event)


def _age(known: Event | None, found: Event) -> Age:
    """Whether an unread count replaces the one last sent."""
    return unread.compare(known and (known.seq, known.meta["readSeq"]), (found.seq, found.meta["readSeq"]))
