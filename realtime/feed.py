"""The order of what is heard: each watched chat's events to its sockets, gapless, whatever Redis loses, doubles or reorders.

Redis carries an event at once, PostgreSQL repairs. What an event means at a position is decided in `position`; here the decision is
carried out: deliver, drop, or pull what was missed. Sockets that cannot follow are left to their session to catch up.
"""

import asyncio
import logging
from functools import partial

import metrics
from chat import events as log
from chat.channels import LOGGED, STATES, projections_of
from chat.errors import ParleyError
from chat.events import Event
from realtime import frames
from realtime.crowd import send_to_all
from realtime.hub import Hub, Watch
from realtime.opening import Opening
from realtime.position import Step, step, void
from realtime.states import States
from realtime.tasks import ended
from realtime.wire import tick

logger = logging.getLogger("parley.feed")

COUNTED = frozenset(("messageAdded", "messageDeleted"))  # they change unread counts
REPAIRS = 4  # reads of the database at a time, so that a storm of them leaves it to the others
SAID_BYTES = 64 * 1024  # of one chat that wait together for the end of a tick
MEMBERSHIPS = 100  # users whose chats are read at a time


class Feed:
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
        buffer: int = 256 * 1024,
        participants=lambda watch, ids: None,
    ):
        self._db = db
        self._hub = hub
        self._page = page
        self._limit = limit
        self._buffer = buffer  # bytes that a socket may have unsent
        self._participants = participants
        self._tasks = set()
        self.repairs = asyncio.Semaphore(REPAIRS)
        self.states = States(db, hub, self)
        self.trace = None  # of what happens here, while somebody watches; see realtime/activity.py
        self.opening = Opening(hub, self)

    # Hearing

    def wants(self, channel: str, chat_id: str, seq: bytes) -> bool:
        """Whether an event changes anything here, unless it is about the chat itself and lets somebody in. One heard again does not.

        `seq` is in digits: mostly nobody has to know it.
        """
        if self.opening.under_way or self.trace is not None:
            return True
        watch = self._hub.watches.get(chat_id)
        if watch is None:
            return False
        if channel in STATES or int(seq) > watch.known:
            return True
        if channel in LOGGED:  # a projection follows its message
            metrics.duplicates.counts[channel] += 1
        return False

    def offer(self, event: Event):
        """An event from Redis or from this instance's own commit; any number of times, in any order."""
        self.opening.note(event)
        if event.channel in LOGGED:
            self._offer_logged(event)
            return
        watch = self._hub.watches.get(event.chat_id)
        if watch is None:
            return
        if event.channel in STATES:
            self.states.offer(watch, event)
        elif step(watch.known, event.seq) is not Step.DROP:
            # A projection follows its message; ahead of it, it tells that the message was missed.
            self.pull(watch, event.seq, "projection")

    def _offer_logged(self, event):
        watch = self._hub.watches.get(event.chat_id)
        if watch is None:
            self._admit(event)
            return
        decision = step(watch.known, event.seq)
        if decision is Step.DELIVER:
            self._deliver(watch, event, live=True)
        elif decision is Step.DROP:
            metrics.duplicates.counts[event.channel] += 1
        else:
            metrics.gaps.inc()
            if self.trace is not None:
                self.trace.gap(event, watch.known)
            self.pull(watch, event.seq, "gap")

    # Delivering

    def _deliver(self, watch, event, live):
        """Hand the next event to every socket that is at its predecessor, and let its participants in or out."""
        about_chat = "participantIds" in event.data
        frame = frames.encode(frames.of_event(event))
        self._say(watch, frame)
        watch.known = event.seq
        watch.heard = max(watch.heard, event.seq)
        metrics.deliveries.counts[event.channel] += len(watch.attached)
        if self.trace is not None:
            self.trace.delivered(event.channel, event, len(watch.attached))
        if event.channel == "messageAdded":
            self._project(watch, event)
        if about_chat:
            self._participants(watch, event.data["participantIds"])
            self._let_out(watch, event)
            self._admit(event)
        self._moved(watch)
        if event.channel in COUNTED and live and event.meta.get("unread") != "derive":
            watch.owed = event
        elif event.channel in COUNTED:
            self.states.refresh_counts(watch, None)
        elif about_chat and not live:
            self.states.refresh_counts(watch, None)  # somebody may have left and come back meanwhile

    def _say(self, watch, frame):
        """To every attached socket, together with what else this tick brings them of this chat."""
        if not watch.attached:
            return
        if watch.said and watch.said_bytes + len(frame) > SAID_BYTES:
            tick.queue_broadcasts()
        if not watch.said:
            watch.said_since, watch.said_bytes = watch.known, 0
            tick.broadcast(partial(self._flush, watch))
        watch.said.append(frame)
        watch.said_bytes += len(frame)

    def _flush(self, watch, now):
        data, since = b"".join(watch.said), watch.said_since
        watch.said = []
        if full := send_to_all(watch.attached, data, self._buffer, now):
            for session in [session for session, wire in watch.attached.items() if wire in full]:
                self.fall_behind(session, watch, since, "slow")

    def _admit(self, event):
        """The sockets of the event's participants that do not watch its chat: are they to?"""
        users = self._hub.users
        outside = [
            user_id
            for user_id in event.data.get("participantIds", ())
            if any(event.chat_id not in session.watches for session in users.get(user_id, ()))
        ]
        for user_id in outside:
            self._hub.doubt(user_id)
        if outside:
            self.repair(self._let_in(event, outside))

    async def _let_in(self, event, user_ids):
        # The database decides: the event may be an old one that Redis held back, and they have left since, and had it before that.
        with self.opening.noting():
            async with self.repairs:
                standings = await log.standings(self._db, event.chat_id, user_ids)
            frame = frames.encode(frames.of_event(event))
            for user_id, standing in standings.items():
                for session in self._hub.users.get(user_id, ()):
                    if event.chat_id not in session.watches:
                        self._begin_with(session, event, frame, standing)

    def _begin_with(self, session, event, frame, standing):
        """A socket watches a chat from this event on, or from the later one that has let its user in again."""
        position = max(event.seq, standing.joined_seq) - 1
        session.say(frames.joined(event.chat_id, position))
        if position == event.seq - 1 and session.send(frame):
            position = event.seq
            metrics.deliveries.counts[event.channel] += 1
            if self.trace is not None:
                self.trace.delivered(event.channel, event, 1)
        self.opening.let_in(session, event.chat_id, position, standing)

    def _let_out(self, watch, event):
        participants = set(event.data["participantIds"])
        for session in watch.sessions():
            # One that is ahead of this instance was let in by a later event.
            if session.user_id not in participants and watch.behind.get(session, 0) <= event.seq:
                self.leave(session, watch)

    def leave(self, session, watch: Watch):
        """Let a socket out of a chat."""
        self._hub.detach(session, watch)
        self._hub.doubt(session.user_id)
        session.say(frames.left(watch.chat_id))

    def _project(self, watch, event):
        if not event.data["content"]:
            return  # a tombstone notifies nobody
        for name in projections_of(event.channel):
            if not self._hub.listening[name]:
                continue
            wanting = [s for s in watch.attached if name in s.channels and s.user_id != event.data["senderId"]]
            if wanting and watch.said:
                tick.queue_broadcasts()  # whoever is too slow for the message falls behind, and must not get what is derived from it
                wanting = [session for session in wanting if session in watch.attached]
            if wanting:
                notice = Event(
                    name,
                    event.chat_id,
                    event.seq,
                    {"chatId": event.chat_id, "message": event.data, "senderId": event.data["senderId"]},
                )
                frame = frames.encode(frames.of_event(notice))
                for session in wanting:
                    session.send(frame)
                metrics.deliveries.counts[name] += len(wanting)
                if self.trace is not None:
                    self.trace.delivered(name, event, len(wanting))

    def _moved(self, watch):
        """This instance has come to another position: to that of sockets that were ahead of it, or of states that waited for it."""
        for session, position in list(watch.behind.items()):
            if position == watch.known:
                self._hub.attach(session, watch, position)
        if watch.waiting:
            self.states.offer_waiting(watch)

    def fall_behind(self, session, watch: Watch, position: int, reason: str):
        """Take a socket off the live stream; its session catches it up from `position`."""
        if watch.said:
            tick.queue_broadcasts()
        metrics.detached.labels(reason).inc()
        watch.attached.pop(session, None)
        watch.behind[session] = position
        session.catch_up()

    # Repairing

    def pull(self, watch: Watch, seq: int, reason: str):
        """Read what was missed up to `seq` at least; at most one pull of a chat at a time."""
        watch.heard = max(watch.heard, seq)
        if not watch.pulling:
            watch.pulling = True
            metrics.pulls.labels(reason).inc()
            self.repair(self._pull(watch))

    async def _pull(self, watch):
        try:
            while self.watched(watch) and watch.heard > watch.known:
                async with self.repairs:
                    heard = watch.heard
                    logs = await log.replay(self._db, {watch.chat_id: watch.known}, watch.user_ids(), self._page)
                if watch.chat_id not in logs:
                    # A head that the database does not have: it was restored from a backup, which the next check will see.
                    watch.heard = watch.known
                    return
                if self.watched(watch):
                    page = logs[watch.chat_id]
                    # What was heard before the question is in the answer, or it was never true; what was heard since may not be.
                    watch.heard = page.head if watch.heard == heard else max(watch.heard, page.head)
                    self._apply(watch, page)
        except ParleyError as error:
            # The next head check asks again.
            logger.warning("pull of chat %s failed: %s", watch.chat_id, getattr(error, "why", error))
            watch.heard = watch.known
        finally:
            watch.pulling = False

    def _apply(self, watch, page: log.Log):
        if page.head < watch.known:
            return  # a live event overtook the snapshot; what it says of membership is old
        # Those who came since the question was asked: the page may show what happened after their removal. They ask for themselves.
        strangers = [session for session in watch.sessions() if session.user_id not in page.asked]
        for session in watch.sessions():
            if (
                session.user_id in page.asked
                and session.user_id not in page.members
                and watch.behind.get(session, 0) <= page.head
            ):
                self.leave(session, watch)
        if void(watch.known, page.head, page.floor, self._limit):
            for session in list(watch.attached):
                self.fall_behind(session, watch, watch.known, "pull")
            watch.known = page.head
            self._moved(watch)
            self.states.refresh_counts(watch, None)
            self._participants(watch, None)
            for session in list(watch.behind):
                session.catch_up()
            return
        for event in page.events:
            if event.seq == watch.known + 1:
                for session in strangers:
                    if session in watch.attached:
                        self.fall_behind(session, watch, watch.known, "pull")
                metrics.pulled_events.inc()
                if self.trace is not None:
                    self.trace.pulled(event)
                self._deliver(watch, event, live=False)

    def watched(self, watch: Watch) -> bool:
        """Whether this is still the watch of its chat."""
        return self._hub.watches.get(watch.chat_id) is watch

    async def refresh_memberships(self, user_ids):
        """Let the sockets of these users into and out of chats as the database has it. Raises `Unavailable`."""
        user_ids = list(user_ids)
        for start in range(0, len(user_ids), MEMBERSHIPS):
            some = user_ids[start : start + MEMBERSHIPS]
            before = {user_id: self._hub.versions.get(user_id) for user_id in some}
            with self.opening.noting():
                for user_id, membership in (await log.memberships(self._db, some)).items():
                    # Let in or out meanwhile: the answer may be from before that. The next check asks again.
                    if user_id in self._hub.versions and self._hub.versions[user_id] == before[user_id]:
                        self._refresh_membership(user_id, membership)
                        self._hub.versions[user_id] = membership.version

    def _refresh_membership(self, user_id, membership):
        for session in list(self._hub.users.get(user_id, ())):
            for chat_id, standing in membership.chats.items():
                if chat_id not in session.watches:
                    session.say(frames.joined(chat_id, standing.head))
                    self.opening.let_in(session, chat_id, standing.head, standing)
            for chat_id, watch in list(session.watches.items()):
                if chat_id not in membership.chats:
                    # A join that committed after this snapshot may have been let in already; the pull's snapshot decides.
                    self.pull(watch, watch.known + 1, "membership")

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
