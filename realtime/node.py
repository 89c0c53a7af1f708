"""One instance's part in real time: what it publishes, hears, checks and tells. The face of `realtime` to the handlers."""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import orjson

import metrics
from chat.channels import LOGGED
from chat.events import Event
from errors import ParleyError
from realtime.activity.demo import Demo, DisorderlyPublisher
from realtime.activity.viewers import Activity
from realtime.bus import envelope
from realtime.bus.canary import Canary
from realtime.bus.channel_names import ACTIVITY, CONTROL, PRESENCE, TYPING, ChannelNames
from realtime.bus.chat_subscriptions import ChatSubscriptions
from realtime.bus.connections import Publisher, Subscriber
from realtime.bus.inbox import Inbox
from realtime.presence.notifier import PresenceNotifier
from realtime.protocol import frames
from realtime.protocol.close_codes import Close
from realtime.stream import polling
from realtime.stream.client import Client
from realtime.stream.event_stream import EventStream
from realtime.stream.hub import Hub
from realtime.stream.reconciler import Reconciler
from realtime.tasks import ended
from realtime.transport.backpressure import Backpressure
from realtime.transport.write_queue import WriteQueue

logger = logging.getLogger("parley.delivery")

CATCH_UPS = 4  # replays at a time, so that a storm of them leaves the database to the others
SWEEP_SECONDS = 1.0
FEW_DERIVED = 3  # projections and states that leave together with the event that they are derived from: mostly all, in a chat of two


@dataclass(frozen=True)
class Limits:
    """The settings of the same names; seconds and bytes."""

    head_check_seconds: float = 2.0
    head_check_degraded_seconds: float = 0.5
    canary_seconds: float = 1.0
    canary_timeout_seconds: float = 3.0
    replay_page: int = 100
    replay_limit: int = 1000
    socket_buffer_bytes: int = 256 * 1024
    socket_stall_seconds: float = 30.0
    hello_seconds: float = 5.0
    frames_per_second: int = 20
    max_sockets_per_user: int = 50
    presence_participants: int = 100
    presence_beat_seconds: float = 5.0
    presence_grace_seconds: float = 10.0
    activity_viewers: int = 20
    channel_scope: str = "all"


class Node:
    """The real-time side of one instance, named `instance`, on one database and one Redis."""

    def __init__(
        self,
        db,
        redis_url: str,
        instance: str,
        limits: Limits = Limits(),
        *,
        verify_tls: bool = True,
        demo: bool = False,
    ):
        """`demo`: it can be told to break things, see `realtime.activity.demo`."""
        self.db = db
        self.instance = instance
        self.limits = limits
        self.channel_names = ChannelNames(limits.channel_scope)
        self.write_queue = WriteQueue()
        self.backpressure = Backpressure(limits.socket_buffer_bytes, limits.socket_stall_seconds)
        self.hub = Hub(self.write_queue, self.backpressure, watched=self._watched, unwatched=self._unwatched)
        self.event_stream = EventStream(
            db,
            self.hub,
            page=limits.replay_page,
            limit=limits.replay_limit,
            participants=lambda stream, ids: self.presence.know(stream, ids),
        )
        self.openings = asyncio.Semaphore(CATCH_UPS)
        self.catch_ups = asyncio.Semaphore(CATCH_UPS)
        self.draining = False
        self.remembered = None  # what remembers sessions without a socket: has `ids()`, `confirmed(ids, at)`, `forget_ended(ids)`, `clear()`
        self.on_commit: Callable[[str], None] | None = None  # is told the chat of each event that was committed here
        self._look = asyncio.Event()  # compare heads now, and not when it is time
        self._publisher = (DisorderlyPublisher if demo else Publisher)(
            redis_url, verify_tls=verify_tls, on_down=self._look.set
        )
        self.inbox = Inbox(
            self.event_stream,
            {
                CONTROL: self._heard_control,
                TYPING: self._heard_typing,
                PRESENCE: lambda payload: self.presence.heard(_object(payload)),
                ACTIVITY: lambda payload: self.activity.heard(payload),
            },
            on_foreign_history=self._look.set,
        )
        self._subscriber = Subscriber(
            redis_url,
            self.channel_names.everywhere,
            self.inbox.heard,
            self._subscribed,
            verify_tls=verify_tls,
            on_down=self._look.set,
        )
        self.reconciler = Reconciler(db, self.hub, self.event_stream, lambda: self.epoch)
        self._subscriptions = ChatSubscriptions(self.hub, self._subscriber, self.channel_names, self.reconciler.compare)
        self._boot = uuid.uuid4().hex  # tells this process's canaries from those of a namesake
        self.presence = PresenceNotifier(
            db,
            self.hub,
            self._boot,
            limit=limits.presence_participants,
            beat_seconds=limits.presence_beat_seconds,
            grace_seconds=limits.presence_grace_seconds,
            publish=self._publisher.publish,
            degraded=lambda: self.degraded,
        )
        self._canary = Canary(
            self._boot,
            self._publisher,
            self._subscriber,
            self._control,
            seconds=limits.canary_seconds,
            timeout=limits.canary_timeout_seconds,
        )
        self._whole_at = None  # until when nothing was missed from Redis, by the clock of the database
        self._checked_at = None
        self._lag = 0.0  # seconds by which the loop was late
        self._tasks = []
        self.activity = Activity(
            instance,
            self._boot,
            self.backpressure,
            most_viewers=limits.activity_viewers,
            report=self._report,
            publish=self._publisher.publish,
            control=self._control,
            on_trace=self._trace,
        )
        self.demo = Demo(instance, self._boot, self._publisher, self.hub, control=self._control) if demo else None
        metrics.sockets.set_function(lambda: len(self.hub.clients))
        metrics.watched_chats.set_function(lambda: len(self.hub.streams))
        metrics.queue_bytes.set_function(lambda: sum(client.writer.unsent for client in self.hub.clients))

    async def start(self):
        """Begin to publish, hear and check. Raises `Unavailable` where the database does not answer."""
        self.epoch = await self.db.epoch()
        self._publisher.start()
        self._subscriber.start()
        self._tasks = [
            asyncio.ensure_future(loop())
            for loop in (self._canary.run, self._check_heads, self._sweep, self.presence.run, self._subscriptions.run)
        ]

    async def stop(self):
        await ended(*self._tasks)
        await self.activity.stop()
        await self.event_stream.close()
        await self._publisher.stop()
        await self._subscriber.stop()

    # What the handlers ask for

    def publish(self, events: list[Event]) -> int:
        """Tell everybody what was just committed. Never fails: what Redis does not take, the other instances read from PostgreSQL.

        Answers how many sockets here follow the chat: mostly they hear of it at the end of this turn of the event loop.
        """
        if not events:
            return 0
        if self.on_commit is not None and events[0].channel in LOGGED:
            self.on_commit(events[0].chat_id)
        if self.event_stream.trace is not None:
            self.event_stream.trace.committed(events)
        derived = [event for event in events if event.channel not in LOGGED]
        if len(derived) <= FEW_DERIVED:
            self._tell(events)
        else:
            # Nobody waits for the unread counts of the others: they leave when the sockets here have the message, and Redis has answered.
            self._tell([event for event in events if event.channel in LOGGED])
            asyncio.get_running_loop().call_soon(self._tell, derived)
        stream = self.hub.streams.get(events[0].chat_id)
        return stream.attached_count if stream is not None else 0

    def _tell(self, events):
        # To the others first: they deliver while we do.
        self._publisher.publish(
            [
                (self.channel_names.of(event.channel, event.chat_id), envelope.encode(event, self.epoch, self.instance))
                for event in events
            ]
        )
        for event in events:
            # Our own sockets at once, with or without Redis; the echo is dropped as one heard twice.
            try:
                self.event_stream.offer(event)
            except Exception:
                # The mutation is committed, and its answer must not miss it; the next check repairs.
                logger.exception("an event of %s could not be delivered", event.channel)

    def session_ended(self, session_id: str):
        """A sign-out: its sockets are closed, and its requests refused, here and everywhere."""
        self._end_sessions({session_id})
        self._control({"kind": "sessionEnded", "sessionId": session_id})

    async def sync(self, user_id: str, fields: dict) -> list[dict]:
        """The frames that a socket would get from `welcome` to `synced`; see `polling.sync`."""
        return await polling.sync(self, user_id, fields)

    def connect(self, session_id: str, user_id: str, writer, close) -> Client:
        """A socket of a signed-in user; it is closed at once where the user has too many here."""
        client = Client(self, session_id, user_id, writer, close)
        self.hub.connect(client)
        if self.hub.sockets[user_id] > self.limits.max_sockets_per_user:
            client.end(Close.TOO_MANY_SOCKETS, "too many sockets")
        elif self.draining:
            client.end(Close.RESTART, "draining")
        return client

    def typing(self, chat_id: str, user_id: str):
        """Pass on that somebody types. While Redis is down nobody is told, rather than some."""
        if self.degraded:
            return
        self._tell_typing(chat_id, user_id)
        self._publisher.publish(
            [
                (
                    self.channel_names.of(TYPING, chat_id),
                    orjson.dumps({"chatId": chat_id, "userId": user_id, "from": self._boot}),
                )
            ]
        )

    @property
    def epoch(self) -> str | None:
        """The database's history that this instance is part of."""
        return self.inbox.epoch

    @epoch.setter
    def epoch(self, epoch: str):
        self.inbox.epoch = epoch

    @property
    def degraded(self) -> bool:
        """Redis does not carry our events now; they arrive by head checks instead."""
        return not (self._publisher.up and self._subscriber.up and self._canary.is_heard)

    def state(self) -> dict:
        """For /healthz. Times are ISO 8601."""
        heard_at = self._canary.heard_at
        return {
            "instance": self.instance,
            "sockets": len(self.hub.clients),
            "watchedChats": len(self.hub.streams),
            "draining": self.draining,
            "publisher": _link(self._publisher),
            "subscriber": _link(self._subscriber),
            "canary": {
                "heardAt": None if heard_at is None else _iso(heard_at),
                "state": "heard" if self._canary.is_heard else "missing",
            },
            "heads": {"checkedAt": None if self._checked_at is None else _iso(self._checked_at)},
        }

    def _report(self) -> dict:
        """For the viewers: `state()`, events heard of and not delivered yet, and how late the loop is in milliseconds."""
        behind = sum(stream.newest_seen - stream.position for stream in self.hub.streams.values())
        return {**self.state(), "behind": behind, "lagMs": round(self._lag * 1000, 1)}

    def _trace(self, trace):
        self.event_stream.trace = self._publisher.trace = trace

    async def drain(self, seconds: float):
        """Send the sockets elsewhere: tell them, then close them with 1012, spread over `seconds`."""
        self.draining = True
        self.activity.end_viewers(Close.RESTART, "restart")
        clients = list(self.hub.clients)
        random.shuffle(clients)
        spread = min(seconds, 0.02 * len(clients))
        notice = frames.encode(frames.draining(int(spread * 1000) + 200))
        for client in clients:
            client.try_send(notice)
        for client in clients:
            await asyncio.sleep(spread / len(clients))
            client.end(Close.RESTART, "restart")
        for client in list(self.hub.clients):
            client.end(Close.RESTART, "restart")

    # Hearing what is no event

    def _heard_control(self, payload):
        message = _object(payload)
        if message.get("kind") == "canary" and message.get("boot") == self._boot:
            self._canary.heard(message)
        elif message.get("kind") == "sessionEnded":
            self._end_sessions({message.get("sessionId")})
        elif message.get("kind") == "activity":
            self.activity.lease(message.get("seconds"), message.get("new"))
        elif message.get("kind") == "demo" and self.demo is not None:
            self.demo.heard(message)

    def _heard_typing(self, payload):
        message = _object(payload)
        if (
            message.get("from") != self._boot
            and isinstance(message.get("chatId"), str)
            and isinstance(message.get("userId"), str)
        ):
            self._tell_typing(message["chatId"], message["userId"])

    def _tell_typing(self, chat_id, user_id):
        stream = self.hub.streams.get(chat_id)
        if stream is not None:
            frame = frames.encode(frames.typing(chat_id, user_id))
            for client in stream.members():
                if client.user_id != user_id:
                    client.try_send(frame)

    def _subscribed(self):
        # What was published while nobody listened is in PostgreSQL.
        self._canary.forget()
        self._look.set()
        self._subscriptions.begin_anew()

    def _watched(self, stream):
        self._subscriptions.watched(stream.chat_id, self.event_stream.join_buffer.asked_at)

    def _unwatched(self, stream):
        self.presence.know(stream, None)
        self._subscriptions.unwatched(stream.chat_id)

    def _end_sessions(self, session_ids):
        if not session_ids:
            return
        if self.remembered is not None:
            self.remembered.forget_ended(session_ids)
        for client in [s for s in self.hub.clients if s.session_id in session_ids]:
            client.end(Close.SIGNED_OUT, "signed out")
        self.activity.end_viewers(Close.SIGNED_OUT, "signed out", session_ids)

    # Loops

    def _control(self, message):
        return self._publisher.publish([(CONTROL, orjson.dumps(message))])

    async def _check_heads(self):
        may_have_missed = False  # since the last check that had an answer
        while True:
            degraded = self.degraded
            seconds = self.limits.head_check_degraded_seconds if degraded else self.limits.head_check_seconds
            try:
                await asyncio.wait_for(self._look.wait(), seconds * random.uniform(0.8, 1.2))
            except asyncio.TimeoutError:
                pass
            may_have_missed |= degraded or self._look.is_set()
            self._look.clear()
            try:
                await self._check(may_have_missed)
                may_have_missed = False
            except ParleyError as error:
                metrics.head_checks.labels("failed").inc()
                logger.warning("head check failed: %s", getattr(error, "why", error))
                await asyncio.sleep(self.limits.head_check_degraded_seconds)
            except Exception:
                logger.exception("head check failed")
                await asyncio.sleep(self.limits.head_check_degraded_seconds)

    async def _check(self, may_have_missed):
        remembered = self.remembered.ids() if self.remembered is not None else set()
        session_ids = {client.session_id for client in self.hub.clients} | self.activity.session_ids | remembered
        whole_at, asked_at = self._whole_at, time.monotonic()
        changes = await self.reconciler.check(session_ids, whole_at, may_have_missed)
        if changes.epoch != self.epoch or changes.ran_back:
            self._new_history(changes.epoch)
            return
        self._end_sessions(changes.sessions)
        if remembered:
            self.remembered.confirmed(remembered - changes.sessions, asked_at)
        self._checked_at = time.time()
        if self._whole_at is whole_at and (may_have_missed or not self.degraded):
            self._whole_at = changes.at

    def _new_history(self, epoch):
        logger.warning("the database has another history; all sockets start anew")
        self.epoch = epoch
        if self.remembered is not None:
            self.remembered.clear()
        for client in list(self.hub.clients):
            client.end(Close.RESTART, "another history")
        self.hub.clear()

    async def _sweep(self):
        """Close sockets that take nothing, and measure how late the loop is."""
        while True:
            due = time.monotonic() + SWEEP_SECONDS
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            self._lag = max(0.0, now - due)
            metrics.loop_lag.set(self._lag)
            for client in [one for one in self.hub.clients if self.backpressure.has_stalled(one.writer, now)]:
                client.end(Close.TRY_AGAIN, "no progress")


def _object(payload):
    try:
        message = orjson.loads(payload)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _iso(moment):
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _link(link):
    return {**link.report(), "since": _iso(link.since)}
