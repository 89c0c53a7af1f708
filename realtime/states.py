"""Unread counts and watermarks to the sockets here: absolute values, of which a newer one is never followed by an older.

A value that comes ahead of the events that it tells of waits for them. Counts that nobody published, or that were lost on their way, are
worked out from the database, some together and some later.
"""

import asyncio
import logging

import metrics
from chat import unread
from chat.errors import ParleyError
from chat.events import Event
from chat.unread import Age
from realtime import frames
from realtime.hub import Hub, Watch

logger = logging.getLogger("parley.states")

COUNT_DELAY = 0.1  # unread counts of large chats are worked out together for so long
COUNT_RETRY = 1.0
MAX_WAITING = 1000


class States:
    """The states of one instance. `feed` pulls the events that a state is ahead of, and runs what is to be repaired."""

    def __init__(self, db, hub: Hub, feed):
        self._db = db
        self._hub = hub
        self._feed = feed

    def offer(self, watch: Watch, event: Event):
        """A state from Redis, from this instance's own commit or from the database."""
        if event.meta.get("head", event.seq) > watch.known:
            # It may tell of something after a removal that has not been delivered yet.
            if len(watch.waiting) < MAX_WAITING:
                watch.waiting.append(event)
            self._feed.pull(watch, event.meta.get("head", event.seq), "state")
        elif event.channel == "unreadCountUpdated":
            self.send_count(watch, event)
        else:
            self._send_read(watch, event)

    def offer_waiting(self, watch: Watch):
        """The instance has come to another position of this chat."""
        waiting, watch.waiting = watch.waiting, []
        for event in waiting:
            self.offer(watch, event)

    def send_count(self, watch: Watch, event: Event):
        """Tell a user's sockets their unread count, unless they were told a newer one."""
        user_id = event.data["userId"]
        sessions = self._hub.users.get(user_id)
        if not sessions:
            return  # nobody here was told, and whoever comes is told how they stand
        age = _age(watch.counts.get(user_id), event)
        if age is Age.NEWER:
            watch.counts[user_id] = event
            self._send_state(event, [s for s in sessions if watch.chat_id in s.watches])
        elif age is Age.UNCLEAR:
            self.refresh_counts(watch, {user_id})

    def _send_read(self, watch, event):
        user_id = event.data["userId"]
        if event.seq > watch.reads.get(user_id, 0):
            watch.reads[user_id] = event.seq
            self._send_state(event, watch.sessions())

    def _send_state(self, event, sessions):
        wanting = [session for session in sessions if event.channel in session.channels]
        if wanting:
            frame = frames.encode(frames.of_event(event))
            for session in wanting:
                if not session.send(frame):
                    session.missed_state(event)
            metrics.deliveries.counts[event.channel] += len(wanting)
            if self._feed.trace is not None:
                self._feed.trace.delivered(event.channel, event, len(wanting))

    def refresh_counts(self, watch: Watch, user_ids):
        """Work out the unread counts of these users' sockets here (None: of all) and send those that are new; soon, and together."""
        if not self._hub.listening["unreadCountUpdated"]:
            return
        wanting = {s.user_id for s in watch.sessions() if "unreadCountUpdated" in s.channels}
        wanting = wanting if user_ids is None else wanting & set(user_ids)
        if not wanting:
            return
        if watch.stale_counts is None:
            watch.stale_counts = wanting
            self._feed.repair(self._refresh_counts(watch))
        else:
            watch.stale_counts |= wanting

    def demand_counts(self, watch: Watch):
        """Work out the counts that should have come after an event and did not."""
        event, watch.owed = watch.owed, None
        if event is not None:
            # Only a sender who had read everything is told nothing.
            fresh = (
                user_id
                for user_id, count in watch.counts.items()
                if count.seq >= event.seq or (user_id == event.data.get("senderId") and not count.data["unreadCount"])
            )
            self.refresh_counts(watch, watch.user_ids().difference(fresh))

    async def _refresh_counts(self, watch):
        pause = COUNT_DELAY
        while watch.stale_counts and self._feed.watched(watch):
            await asyncio.sleep(pause)
            users, watch.stale_counts = watch.stale_counts, set()
            try:
                async with self._feed.repairs:
                    events = await unread.counts(self._db, watch.chat_id, users)
                pause = COUNT_DELAY
            except ParleyError as error:
                logger.warning("counts of chat %s failed: %s", watch.chat_id, getattr(error, "why", error))
                watch.stale_counts |= users
                events, pause = [], COUNT_RETRY
            for event in events:
                if self._feed.watched(watch):
                    self.offer(watch, event)
        watch.stale_counts = None

    def count_afresh(self, session, event: Event):
        """Tell a socket its user's unread count as just read from the database, or a newer one that others were told meanwhile."""
        watch = session.watches.get(event.chat_id)
        if watch is None:
            return
        known = watch.counts.get(session.user_id)
        if _age(known, event) is Age.STALE:
            session.tell(known)
        else:
            self.send_count(watch, event)


def _age(known: Event | None, found: Event) -> Age:
    """Whether an unread count replaces the one last sent."""
    return unread.compare(known and (known.seq, known.meta["readSeq"]), (found.seq, found.meta["readSeq"]))
