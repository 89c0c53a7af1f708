"""The order of events: those of each followed chat go to its clients without a gap, whatever Redis loses, doubles or reorders.

Redis carries an event at once, PostgreSQL repairs. `realtime.protocol.position` decides what an event means at a position, and this
module does it: deliver, drop, or pull what was missed. A client that cannot keep up is taken off the stream and catches up by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import TYPE_CHECKING

import metrics
from chat import event_log, memberships, payloads
from chat.channels import ABOUT_CHATS, CHANNELS, LOGGED, STATES, Audience, projections_of
from chat.events import Event
from errors import ParleyError
from realtime.protocol import frames
from realtime.protocol.position import Step, step, void
from realtime.stream.chat_stream import ChatStream
from realtime.stream.hub import Hub
from realtime.stream.join_buffer import JoinBuffer
from realtime.stream.latest_values import LatestValues
from realtime.tasks import ended
from store.database import Database

if TYPE_CHECKING:
    from realtime.activity.trace import Trace
    from realtime.stream.client import Client

logger = logging.getLogger("parley.event_stream")

# Events that change the unread counts of the chat's participants.
COUNTED = frozenset(name for name, channel in CHANNELS.items() if channel.unread_of is Audience.PARTICIPANTS)
PROJECTIONS_OF = {name: projections for name in LOGGED if (projections := projections_of(name))}
REPAIRS = 4  # reads of the database at a time: a storm of repairs must leave connections to everybody else
MEMBERSHIPS = 100  # users whose chats are read at a time


class EventStream:
    """The events of one instance. A pull reads `page` events at a time; where more than `limit` are missing, clients are reset.

    `on_participants(stream, ids)` is called when a chat's participants change; with None where they have to be read.
    """

    def __init__(
        self,
        db: Database,
        hub: Hub,
        *,
        page: int = 100,
        limit: int = 1000,
        on_participants: Callable[[ChatStream, Collection[str] | None], object] = lambda stream, ids: None,
    ):
        self._db = db
        self._hub = hub
        self._page = page
        self._limit = limit
        self._on_participants = on_participants
        self._tasks: set[asyncio.Future] = set()
        self.repairs = asyncio.Semaphore(REPAIRS)
        self.latest_values = LatestValues(db, hub, self)
        self.trace: Trace | None = None  # while somebody looks at the Activity page
        self.join_buffer = JoinBuffer(hub, self)

    # Receiving

    def wants(self, channel: str, chat_id: str, seq: bytes) -> bool:
        """Whether an event changes anything here. Not for events about the chat itself, which may let somebody in.

        `seq` comes as digits, because most answers do not depend on it.
        """
        if self.join_buffer.under_way or self.trace is not None:
            return True
        stream = self._hub.streams.get(chat_id)
        if stream is None:
            return False
        if channel in STATES or int(seq) > stream.position:
            return True
        if channel in LOGGED:  # the duplicate of a message is counted once, without its projections
            metrics.duplicates.counts[channel] += 1
        return False

    def offer(self, event: Event):
        """Take an event from Redis or from this instance's own commit. It may come any number of times and in any order."""
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
            # A projection ahead of its message proves that the message was missed.
            self.pull(stream, event.seq, "projection")

    def _offer_logged(self, event: Event):
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

    def _deliver(self, stream: ChatStream, event: Event, live: bool):
        """Send the next event to every client that is at its predecessor, and let participants in or out."""
        about_chat = event.channel in ABOUT_CHATS
        frame = frames.encode(frames.of_event(event))
        stream.deliver(frame, stream.position)
        stream.position = event.seq
        stream.newest_seen = max(stream.newest_seen, event.seq)
        metrics.deliveries.counts[event.channel] += stream.attached_count
        if self.trace is not None:
            self.trace.delivered(event.channel, event, stream.attached_count)
        if event.channel in PROJECTIONS_OF:
            self._project(stream, event)
        if about_chat:
            self._on_participants(stream, event.data["participantIds"])
            self._let_out(stream, event)
            self._admit(event)
        self._position_changed(stream)
        if event.channel in COUNTED and live and event.meta.get("unread") != "derive":
            stream.count_due = event
        elif event.channel in COUNTED:
            self.latest_values.refresh_counts(stream, None)
        elif about_chat and not live:
            self.latest_values.refresh_counts(stream, None)  # somebody may have left and come back meanwhile

    def _admit(self, event: Event):
        """Ask the database about the event's participants whose clients do not follow its chat."""
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

    async def _let_in(self, event: Event, user_ids: list[str]):
        # The event alone proves nothing: Redis may have held it back for seconds, and they have had it and left the chat since.
        with self.join_buffer.noting():
            async with self.repairs:
                standings = await memberships.standings(self._db, event.chat_id, user_ids)
            frame = frames.encode(frames.of_event(event))
            for user_id, standing in standings.items():
                for client in self._hub.users.get(user_id, ()):
                    if event.chat_id not in client.streams:
                        self._begin_with(client, event, frame, standing)

    def _begin_with(self, client: Client, event: Event, frame: bytes, standing: memberships.Standing):
        """A client follows a chat from this event on, or from the later one that let its user in again."""
        position = max(event.seq, standing.joined_seq) - 1
        client.send(frames.joined(event.chat_id, position))
        if position == event.seq - 1 and client.try_send(frame):
            position = event.seq
            metrics.deliveries.counts[event.channel] += 1
            if self.trace is not None:
                self.trace.delivered(event.channel, event, 1)
        self.join_buffer.let_in(client, event.chat_id, position, standing)

    def _let_out(self, stream: ChatStream, event: Event):
        participants = set(event.data["participantIds"])
        for client in stream.clients():
            # A client that is ahead of this instance was let in by a later event.
            if client.user_id not in participants and stream.behind.get(client, 0) <= event.seq:
                self.leave(client, stream)

    def leave(self, client: Client, stream: ChatStream):
        """Let a client out of a chat."""
        self._hub.detach(client, stream)
        self._hub.doubt(client.user_id)
        client.send(frames.left(stream.chat_id))

    def _project(self, stream: ChatStream, event: Event):
        """Send what is derived from a message to the clients that asked for it."""
        if "deletedAt" in event.data:
            return  # a deleted message notifies nobody
        for name in PROJECTIONS_OF[event.channel]:
            if not self._hub.listening[name]:
                continue
            sender = event.data["senderId"]
            if not any(name in client.channels and client.user_id != sender for client in stream.clients()):
                continue
            # Only members: a client that had no room for the message has fallen behind and must not get what is derived from it.
            wanting = [client for client in stream.members() if name in client.channels and client.user_id != sender]
            if wanting:
                notice = Event(name, event.chat_id, event.seq, payloads.notice(event.data))
                frame = frames.encode(frames.of_event(notice))
                for client in wanting:
                    client.try_send(frame)
                metrics.deliveries.counts[name] += len(wanting)
                if self.trace is not None:
                    self.trace.delivered(name, event, len(wanting))

    def _position_changed(self, stream: ChatStream):
        """Attach the clients that were ahead and are at the new position, and send the states that waited for it."""
        for client, position in list(stream.behind.items()):
            if position == stream.position:
                self._hub.attach(client, stream, position)
        if stream.waiting:
            self.latest_values.offer_waiting(stream)

    # Repairing

    def pull(self, stream: ChatStream, seq: int, reason: str):
        """Read what was missed up to `seq` at least. One pull of a chat runs at a time."""
        stream.newest_seen = max(stream.newest_seen, seq)
        if not stream.pulling:
            stream.pulling = True
            metrics.pulls.labels(reason).inc()
            self.repair(self._pull(stream))

    async def _pull(self, stream: ChatStream):
        try:
            while self._hub.is_open(stream) and stream.newest_seen > stream.position:
                async with self.repairs:
                    newest_asked = stream.newest_seen
                    logs = await event_log.replay(
                        self._db, {stream.chat_id: stream.position}, stream.user_ids(), self._page
                    )
                if stream.chat_id not in logs:
                    # The database lacks the chat, so it was restored from a backup. The next check will find that.
                    stream.newest_seen = stream.position
                    return
                if self._hub.is_open(stream):
                    page = logs[stream.chat_id]
                    # The answer has everything that was seen before the question, or that was never true. What was seen since it may lack.
                    stream.newest_seen = (
                        page.head if stream.newest_seen == newest_asked else max(stream.newest_seen, page.head)
                    )
                    self._apply(stream, page)
        except ParleyError as error:
            # The next head check asks again.
            logger.warning("pull of chat %s failed: %s", stream.chat_id, getattr(error, "why", error))
            stream.newest_seen = stream.position
        finally:
            stream.pulling = False

    def _apply(self, stream: ChatStream, page: event_log.Log):
        if page.head < stream.position:
            return  # a live event overtook the snapshot, so what the page says of membership is old
        # Clients that came since the question was asked. The page may show events from after their removal, so they read for themselves.
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
            self._position_changed(stream)
            self.latest_values.refresh_counts(stream, None)
            self._on_participants(stream, None)
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

    async def refresh_memberships(self, user_ids: Iterable[str]):
        """Let the clients of these users into and out of chats, as the database has it. Raises `Unavailable`."""
        user_ids = list(user_ids)
        for start in range(0, len(user_ids), MEMBERSHIPS):
            some = user_ids[start : start + MEMBERSHIPS]
            before = {user_id: self._hub.versions.get(user_id) for user_id in some}
            with self.join_buffer.noting():
                for user_id, membership in (await memberships.memberships(self._db, some)).items():
                    # Where an event let the user in or out meanwhile, the answer may be older. The next check asks again.
                    if user_id in self._hub.versions and self._hub.versions[user_id] == before[user_id]:
                        self._refresh_membership(user_id, membership)
                        self._hub.versions[user_id] = membership.version

    def _refresh_membership(self, user_id: str, membership: memberships.Membership):
        for client in list(self._hub.users.get(user_id, ())):
            for chat_id, standing in membership.chats.items():
                if chat_id not in client.streams:
                    client.send(frames.joined(chat_id, standing.head))
                    self.join_buffer.let_in(client, chat_id, standing.head, standing)
            for chat_id, stream in list(client.streams.items()):
                if chat_id not in membership.chats:
                    # A join that committed after this snapshot may have let the client in already. The pull's snapshot decides.
                    self.pull(stream, stream.position + 1, "membership")

    def repair(self, coroutine: Coroutine):
        """Run a repair in the background; a failure is logged."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future):
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ParleyError):
            logger.error("a repair failed", exc_info=error)

    async def close(self):
        await ended(*self._tasks)
