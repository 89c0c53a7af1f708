"""The order of what is heard: each watched chat's events to its sockets, gapless, whatever Redis loses, doubles or reorders.

Redis carries an event at once, PostgreSQL repairs. What an event means at a position is decided in `position`; here the decision is
carried out: deliver, drop, or pull what was missed. Sockets that cannot follow are left to their session to catch up.
"""

import asyncio
import logging

import metrics
from chat import event_log, memberships
from chat.channels import LOGGED, STATES, projections_of
from chat.events import Event
from errors import ParleyError
from realtime.protocol import frames
from realtime.protocol.position import Step, step, void
from realtime.stream.chat_stream import ChatStream
from realtime.stream.hub import Hub
from realtime.stream.join_buffer import JoinBuffer
from realtime.stream.latest_values import LatestValues
from realtime.tasks import ended

logger = logging.getLogger("parley.feed")

COUNTED = frozenset(("messageAdded", "messageDeleted"))  # they change unread counts
REPAIRS = 4  # reads of the database at a time, so that a storm of them leaves it to the others
MEMBERSHIPS = 100  # users whose chats are read at a time


class EventStream:
    """The events of one instance. `page` events are pulled at a time; beyond `limit` missing ones, sockets are reset.

    `participants(watch, ids)` is called when a chat has other ones; with None where they are not known.
    """

    def __init__(
        self,
        db,
        hub: Hub,
        *,
        page: int = 100,
        limit: int = 1000,
        participants=lambda stream, ids: None,
    ):
        self._db = db
        self._hub = hub
        self._page = page
        self._limit = limit
        self._participants = participants
        self._tasks = set()
        self.repairs = asyncio.Semaphore(REPAIRS)
        self.latest_values = LatestValues(db, hub, self)
        self.trace = None  # of what happens here, while somebody watches; see realtime/activity/trace.py
        self.join_buffer = JoinBuffer(hub, self)

    # Hearing

    def wants(self, channel: str, chat_id: str, seq: bytes) -> bool:
        """Whether an event changes anything here, unless it is about the chat itself and lets somebody in. One heard again does not.

        `seq` is in digits: mostly nobody has to know it.
        """
        if self.join_buffer.under_way or self.trace is not None:
            return True
        stream = self._hub.streams.get(chat_id)
        if stream is None:
            return False
        if channel in STATES or int(seq) > stream.position:
            return True
        if channel in LOGGED:  # a projection follows its message
            metrics.duplicates.counts[channel] += 1
        return False

    def offer(self, event: Event):
        """An event from Redis or from this instance's own commit; any number of times, in any order."""
        self.join_buffer.note(event)
        if event.channel in LOGGED:
            self._offer_logged(event)
            return
        stream = self._hub.streams.get(event.chat_id)
        if stream is None:
            return
        if event.channel in STATES:
            self.latest_values.offer(stream, event)
        elif step(stream.position, event.seq) is not Step.DROP:
            # A projection follows its message; ahead of it, it tells that the message was missed.
            self.pull(stream, event.seq, "projection")

    def _offer_logged(self, event):
        stream = self._hub.streams.get(event.chat_id)
        if stream is None:
            self._admit(event)
            return
        decision = step(stream.position, event.seq)
        if decision is Step.DELIVER:
            self._deliver(stream, event, live=True)
        elif decision is Step.DROP:
            metrics.duplicates.counts[event.channel] += 1
        else:
            metrics.gaps.inc()
            if self.trace is not None:
                self.trace.gap(event, stream.position)
            self.pull(stream, event.seq, "gap")

    # Delivering

    def _deliver(self, stream, event, live):
        """Hand the next event to every socket that is at its predecessor, and let its participants in or out."""
        about_chat = "participantIds" in event.data
        frame = frames.encode(frames.of_event(event))
        stream.say(frame, stream.position)
        stream.position = event.seq
        stream.newest_seen = max(stream.newest_seen, event.seq)
        metrics.deliveries.counts[event.channel] += stream.attached_count
        if self.trace is not None:
            self.trace.delivered(event.channel, event, stream.attached_count)
        if event.channel == "messageAdded":
            self._project(stream, event)
        if about_chat:
            self._participants(stream, event.data["participantIds"])
            self._let_out(stream, event)
            self._admit(event)
        self._moved(stream)
        if event.channel in COUNTED and live and event.meta.get("unread") != "derive":
            stream.count_due = event
        elif event.channel in COUNTED:
            self.latest_values.refresh_counts(stream, None)
        elif about_chat and not live:
            self.latest_values.refresh_counts(stream, None)  # somebody may have left and come back meanwhile

    def _admit(self, event):
        """The sockets of the event's participants that do not watch its chat: are they to?"""
        users = self._hub.users
        outside = [
            user_id
            for user_id in event.data.get("participantIds", ())
            if any(event.chat_id not in client.streams for client in users.get(user_id, ()))
        ]
        for user_id in outside:
            self._hub.doubt(user_id)
        if outside:
            self.repair(self._let_in(event, outside))

    async def _let_in(self, event, user_ids):
        # The database decides: the event may be an old one that Redis held back, and they have left since, and had it before that.
        with self.join_buffer.noting():
            async with self.repairs:
                standings = await memberships.standings(self._db, event.chat_id, user_ids)
            frame = frames.encode(frames.of_event(event))
            for user_id, standing in standings.items():
                for client in self._hub.users.get(user_id, ()):
                    if event.chat_id not in client.streams:
                        self._begin_with(client, event, frame, standing)

    def _begin_with(self, client, event, frame, standing):
        """A socket watches a chat from this event on, or from the later one that has let its user in again."""
        position = max(event.seq, standing.joined_seq) - 1
        client.send(frames.joined(event.chat_id, position))
        if position == event.seq - 1 and client.try_send(frame):
            position = event.seq
            metrics.deliveries.counts[event.channel] += 1
            if self.trace is not None:
                self.trace.delivered(event.channel, event, 1)
        self.join_buffer.let_in(client, event.chat_id, position, standing)

    def _let_out(self, stream, event):
        participants = set(event.data["participantIds"])
        for client in stream.clients():
            # One that is ahead of this instance was let in by a later event.
            if client.user_id not in participants and stream.behind.get(client, 0) <= event.seq:
                self.leave(client, stream)

    def leave(self, client, stream: ChatStream):
        """Let a socket out of a chat."""
        self._hub.detach(client, stream)
        self._hub.doubt(client.user_id)
        client.send(frames.left(stream.chat_id))

    def _project(self, stream, event):
        if "deletedAt" in event.data:
            return  # a tombstone notifies nobody
        for name in projections_of(event.channel):
            if not self._hub.listening[name]:
                continue
            sender = event.data["senderId"]
            if not any(name in client.channels and client.user_id != sender for client in stream.clients()):
                continue
            # Members only: whoever is too slow for the message falls behind, and must not get what is derived from it.
            wanting = [s for s in stream.members() if name in s.channels and s.user_id != sender]
            if wanting:
                notice = Event(
                    name,
                    event.chat_id,
                    event.seq,
                    {"chatId": event.chat_id, "message": event.data, "senderId": event.data["senderId"]},
                )
                frame = frames.encode(frames.of_event(notice))
                for client in wanting:
                    client.try_send(frame)
                metrics.deliveries.counts[name] += len(wanting)
                if self.trace is not None:
                    self.trace.delivered(name, event, len(wanting))

    def _moved(self, stream):
        """This instance has come to another position: to that of sockets that were ahead of it, or of states that waited for it."""
        for client, position in list(stream.behind.items()):
            if position == stream.position:
                self._hub.attach(client, stream, position)
        if stream.waiting:
            self.latest_values.offer_waiting(stream)

    # Repairing

    def pull(self, stream: ChatStream, seq: int, reason: str):
        """Read what was missed up to `seq` at least; at most one pull of a chat at a time."""
        stream.newest_seen = max(stream.newest_seen, seq)
        if not stream.pulling:
            stream.pulling = True
            metrics.pulls.labels(reason).inc()
            self.repair(self._pull(stream))

    async def _pull(self, stream):
        try:
            while self.watched(stream) and stream.newest_seen > stream.position:
                async with self.repairs:
                    heard = stream.newest_seen
                    logs = await event_log.replay(
                        self._db, {stream.chat_id: stream.position}, stream.user_ids(), self._page
                    )
                if stream.chat_id not in logs:
                    # A head that the database does not have: it was restored from a backup, which the next check will see.
                    stream.newest_seen = stream.position
                    return
                if self.watched(stream):
                    page = logs[stream.chat_id]
                    # What was heard before the question is in the answer, or it was never true; what was heard since may not be.
                    stream.newest_seen = (
                        page.head if stream.newest_seen == heard else max(stream.newest_seen, page.head)
                    )
                    self._apply(stream, page)
        except ParleyError as error:
            # The next head check asks again.
            logger.warning("pull of chat %s failed: %s", stream.chat_id, getattr(error, "why", error))
            stream.newest_seen = stream.position
        finally:
            stream.pulling = False

    def _apply(self, stream, page: event_log.Log):
        if page.head < stream.position:
            return  # a live event overtook the snapshot; what it says of membership is old
        # Those who came since the question was asked: the page may show what happened after their removal. They ask for themselves.
        strangers = [client for client in stream.clients() if client.user_id not in page.asked]
        for client in stream.clients():
            if (
                client.user_id in page.asked
                and client.user_id not in page.members
                and stream.behind.get(client, 0) <= page.head
            ):
                self.leave(client, stream)
        if void(stream.position, page.head, page.floor, self._limit):
            for client in stream.members():
                stream.fall_behind(client, stream.position, "pull")
            stream.position = page.head
            self._moved(stream)
            self.latest_values.refresh_counts(stream, None)
            self._participants(stream, None)
            for client in list(stream.behind):
                client.catch_up()
            return
        for event in page.events:
            if event.seq == stream.position + 1:
                for client in strangers:
                    if stream.is_member(client):
                        stream.fall_behind(client, stream.position, "pull")
                metrics.pulled_events.inc()
                if self.trace is not None:
                    self.trace.pulled(event)
                self._deliver(stream, event, live=False)

    def watched(self, stream: ChatStream) -> bool:
        """Whether this is still the watch of its chat."""
        return self._hub.streams.get(stream.chat_id) is stream

    async def refresh_memberships(self, user_ids):
        """Let the sockets of these users into and out of chats as the database has it. Raises `Unavailable`."""
        user_ids = list(user_ids)
        for start in range(0, len(user_ids), MEMBERSHIPS):
            some = user_ids[start : start + MEMBERSHIPS]
            before = {user_id: self._hub.versions.get(user_id) for user_id in some}
            with self.join_buffer.noting():
                for user_id, membership in (await memberships.memberships(self._db, some)).items():
                    # Let in or out meanwhile: the answer may be from before that. The next check asks again.
                    if user_id in self._hub.versions and self._hub.versions[user_id] == before[user_id]:
                        self._refresh_membership(user_id, membership)
                        self._hub.versions[user_id] = membership.version

    def _refresh_membership(self, user_id, membership):
        for client in list(self._hub.users.get(user_id, ())):
            for chat_id, standing in membership.chats.items():
                if chat_id not in client.streams:
                    client.send(frames.joined(chat_id, standing.head))
                    self.join_buffer.let_in(client, chat_id, standing.head, standing)
            for chat_id, stream in list(client.streams.items()):
                if chat_id not in membership.chats:
                    # A join that committed after this snapshot may have been let in already; the pull's snapshot decides.
                    self.pull(stream, stream.position + 1, "membership")

    def repair(self, coroutine):
        """Run this beside what is heard."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task):
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ParleyError):
            logger.error("a repair failed", exc_info=error)

    async def close(self):
        await ended(*self._tasks)
