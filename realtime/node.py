"""The real-time side of one instance, as the handlers see it: what it publishes, receives, checks and sends."""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timezone
from typing import Protocol

import metrics
from chat.channels import LOGGED
from chat.events import Event
from realtime.activity.demo import Demo, DisorderlyPublisher
from realtime.activity.trace import Trace
from realtime.activity.viewers import Activity
from realtime.bus import envelope
from realtime.bus.canary import Canary
from realtime.bus.channel_names import ACTIVITY, CONTROL, PRESENCE, TYPING, ChannelNames
from realtime.bus.chat_subscriptions import ChatSubscriptions
from realtime.bus.connections import Link, Publisher, Subscriber
from realtime.bus.control import Control
from realtime.bus.inbox import Inbox
from realtime.head_checks import HeadChecks
from realtime.limits import Limits
from realtime.presence.presence_notifier import PresenceNotifier
from realtime.presence.typing_notifier import TypingNotifier
from realtime.protocol import frames
from realtime.protocol.close_codes import Close
from realtime.stream import sync
from realtime.stream.chat_stream import ChatStream
from realtime.stream.client import Client
from realtime.stream.event_stream import EventStream
from realtime.stream.hub import Hub
from realtime.stream.reconciler import Reconciler
from realtime.tasks import ended
from realtime.transport.backpressure import Backpressure
from realtime.transport.socket_writer import SocketWriter
from realtime.transport.write_queue import WriteQueue
from store.database import Database

logger = logging.getLogger("parley.node")

CATCH_UPS = 4  # replays at a time: a storm of them must leave connections to the database to everybody else
SWEEP_SECONDS = 1.0
# Up to so many projections and states leave together with their event. That is enough for a chat of two.
FEW_DERIVED = 3


class RememberedSessions(Protocol):
    """Sessions that are known here although they have no socket: those of HTTP requests. The head checks ask for them too."""

    def ids(self) -> set[str]: ...

    def confirmed(self, ids: set[str], at: float) -> None:
        """The database was asked at the monotonic time `at`, and these sessions go on."""

    def forget_ended(self, session_ids: Collection[str]) -> None: ...

    def clear(self) -> None:
        """The database has another history, in which no session is certain."""


class Node:
    """The real-time side of one instance, named `instance`, on one database and one Redis."""

    def __init__(
        self,
        db: Database,
        redis_url: str,
        instance: str,
        limits: Limits = Limits(),
        *,
        verify_tls: bool = True,
        demo: bool = False,
    ):
        """With `demo` it can be ordered to break things, see `realtime.activity.demo`."""
        self._boot = uuid.uuid4().hex  # names this process, since another one may have the instance's name
        self.db = db
        self.instance = instance
        self.limits = limits
        self.channel_names = ChannelNames(limits.channel_scope)
        self.write_queue = WriteQueue()
        self.backpressure = Backpressure(limits.socket_buffer_bytes, limits.socket_stall_seconds)
        self.hub = Hub(
            self.write_queue, self.backpressure, on_opened=self._stream_opened, on_closed=self._stream_closed
        )
        self.event_stream = EventStream(
            db,
            self.hub,
            page=limits.replay_page,
            limit=limits.replay_limit,
            on_participants=self._participants_changed,
        )
        self.openings = asyncio.Semaphore(CATCH_UPS)
        self.catch_ups = asyncio.Semaphore(CATCH_UPS)
        self.draining = False
        self.remembered: RememberedSessions | None = None
        self.on_commit: Callable[[str], None] | None = None  # is told the chat of each event that was committed here
        self.head_checks = HeadChecks(self)
        self._publisher = (DisorderlyPublisher if demo else Publisher)(
            redis_url, verify_tls=verify_tls, on_down=self.head_checks.soon
        )
        receivers: dict[str, Callable[[bytes], object]] = {}
        self.inbox = Inbox(self.event_stream, receivers, on_foreign_history=self.head_checks.soon)
        self._subscriber = Subscriber(
            redis_url,
            self.channel_names.everywhere,
            self.inbox.receive,
            self._subscribed,
            verify_tls=verify_tls,
            on_down=self.head_checks.soon,
        )
        self.reconciler = Reconciler(db, self.hub, self.event_stream, lambda: self.epoch)
        self._subscriptions = ChatSubscriptions(self.hub, self._subscriber, self.channel_names, self.reconciler.compare)
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
        self._typing = TypingNotifier(self.hub, self._boot, self.channel_names, self._publisher.publish)
        control_receivers: dict[str, Callable[[dict], object]] = {}
        self.control = Control(self._publisher.publish, control_receivers)
        self._canary = Canary(
            self._boot,
            self._publisher,
            self._subscriber,
            self.control.publish,
            seconds=limits.canary_seconds,
            timeout=limits.canary_timeout_seconds,
        )
        self.activity = Activity(
            instance,
            self._boot,
            self.backpressure,
            most_viewers=limits.activity_viewers,
            report=self._report,
            publish=self._publisher.publish,
            publish_control=self.control.publish,
            on_trace=self._set_trace,
        )
        self.demo: Demo | None = None
        if isinstance(self._publisher, DisorderlyPublisher):
            self.demo = Demo(instance, self._boot, self._publisher, self.hub, publish_control=self.control.publish)
            control_receivers["demo"] = self.demo.receive
        control_receivers |= {
            "canary": self._canary.receive,
            "sessionEnded": lambda message: self.end_sessions({str(message.get("sessionId"))}),
            "activity": lambda message: self.activity.lease(message.get("seconds"), message.get("new")),
        }
        receivers |= {
            CONTROL: self.control.receive,
            TYPING: self._typing.receive,
            PRESENCE: self.presence.receive,
            ACTIVITY: self.activity.receive,
        }
        self._lag = 0.0  # seconds by which the event loop was late
        self._tasks: list[asyncio.Future] = []
        metrics.sockets.set_function(lambda: len(self.hub.clients))
        metrics.watched_chats.set_function(lambda: len(self.hub.streams))
        metrics.queue_bytes.set_function(lambda: sum(client.writer.unsent for client in self.hub.clients))

    async def start(self):
        """Begin to publish, receive and check. Raises `Unavailable` where the database does not answer."""
        self.epoch = await self.db.epoch()
        self._publisher.start()
        self._subscriber.start()
        self._tasks = [
            asyncio.ensure_future(loop())
            for loop in (
                self._canary.run,
                self.head_checks.run,
                self._sweep,
                self.presence.run,
                self._subscriptions.run,
            )
        ]

    async def stop(self):
        """End everything that `start` began. The sockets are the server's to close."""
        await ended(*self._tasks)
        await self.activity.stop()
        await self.event_stream.close()
        await self._publisher.stop()
        await self._subscriber.stop()

    # What the handlers ask for

    def publish(self, events: list[Event]) -> int:
        """Hand events that were just committed to Redis and to the clients here. Never fails: the other instances read from PostgreSQL what
        Redis does not take.

        Answers how many clients here follow the chat. Mostly they get the events at the end of this turn of the event loop.
        """
        if not events:
            return 0
        if self.on_commit is not None and events[0].channel in LOGGED:
            self.on_commit(events[0].chat_id)
        if self.event_stream.trace is not None:
            self.event_stream.trace.committed(events)
        derived = [event for event in events if event.channel not in LOGGED]
        if len(derived) <= FEW_DERIVED:
            self._publish(events)
        else:
            # Nobody waits for the unread counts of the others, so they leave after the message.
            self._publish([event for event in events if event.channel in LOGGED])
            asyncio.get_running_loop().call_soon(self._publish, derived)
        stream = self.hub.streams.get(events[0].chat_id)
        return stream.attached_count if stream is not None else 0

    def _publish(self, events: list[Event]):
        name, epoch = self.channel_names.of, self.epoch
        # To Redis first: the other instances deliver while this one does.
        self._publisher.publish(
            [(name(event.channel, event.chat_id), envelope.encode(event, epoch, self.instance)) for event in events]
        )
        for event in events:
            # To the clients here at once, with or without Redis. The echo is dropped like any duplicate.
            try:
                self.event_stream.offer(event)
            except Exception:
                # The mutation is committed and must be answered. The next check repairs the delivery.
                logger.exception("an event of %s could not be delivered", event.channel)

    def session_ended(self, session_id: str):
        """A session was signed out: its sockets are closed and its requests refused, on every instance."""
        self.end_sessions({session_id})
        self.control.publish({"kind": "sessionEnded", "sessionId": session_id})

    async def sync(self, user_id: str, fields: dict) -> list[dict]:
        """The frames that a socket would get from `welcome` to `synced`; see `realtime.stream.sync`."""
        return await sync.sync(self, user_id, fields)

    def connect(
        self, session_id: str, user_id: str, writer: SocketWriter, close: Callable[[int, str], object]
    ) -> Client:
        """The client of a signed-in user's new socket. The socket is closed at once where the user has too many here."""
        client = Client(self, session_id, user_id, writer, close)
        self.hub.connect(client)
        if self.hub.sockets[user_id] > self.limits.max_sockets_per_user:
            client.end(Close.TOO_MANY_SOCKETS, "too many sockets")
        elif self.draining:
            client.end(Close.RESTART, "draining")
        return client

    def typing(self, chat_id: str, user_id: str):
        """Pass on that a user is typing; while Redis is down, to nobody rather than to some."""
        if not self.degraded:
            self._typing.notify(chat_id, user_id)

    @property
    def epoch(self) -> str:
        """The database's history that this instance is part of. It has one when it has started."""
        assert self.inbox.epoch is not None
        return self.inbox.epoch

    @epoch.setter
    def epoch(self, epoch: str):
        self.inbox.epoch = epoch

    @property
    def degraded(self) -> bool:
        """Whether Redis does not carry events now, so that they arrive by head checks instead."""
        return not (self._publisher.up and self._subscriber.up and self._canary.is_heard)

    def state(self) -> dict:
        """For /healthz. Times are ISO 8601."""
        heard_at, checked_at = self._canary.heard_at, self.head_checks.checked_at
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
            "heads": {"checkedAt": None if checked_at is None else _iso(checked_at)},
        }

    def _report(self) -> dict:
        """For the viewers: `state()`, how many events are known of and not delivered, and how many milliseconds the event loop is late."""
        behind = sum(stream.newest_seen - stream.position for stream in self.hub.streams.values())
        return {**self.state(), "behind": behind, "lagMs": round(self._lag * 1000, 1)}

    def _set_trace(self, trace: Trace | None):
        self.event_stream.trace = self._publisher.trace = trace

    async def drain(self, seconds: float):
        """Send the clients to other instances: announce it, then close them with 1012, spread over `seconds`."""
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

    # What the parts tell each other

    def _subscribed(self):
        # Messages that were published before are lost to this instance. The check finds their events in PostgreSQL.
        self._canary.forget()
        self.head_checks.soon()
        self._subscriptions.begin_anew()

    def _stream_opened(self, stream: ChatStream):
        self._subscriptions.follow(stream.chat_id, self.event_stream.join_buffer.asked_at)

    def _stream_closed(self, stream: ChatStream):
        self.presence.set_participants(stream, None)
        self._subscriptions.unfollow(stream.chat_id)

    def _participants_changed(self, stream: ChatStream, user_ids: Collection[str] | None):
        self.presence.set_participants(stream, user_ids)

    def end_sessions(self, session_ids: Collection[str]):
        """Close the sockets of sessions that have ended, and forget the sessions."""
        if not session_ids:
            return
        if self.remembered is not None:
            self.remembered.forget_ended(session_ids)
        for client in [one for one in self.hub.clients if one.session_id in session_ids]:
            client.end(Close.SIGNED_OUT, "signed out")
        self.activity.end_viewers(Close.SIGNED_OUT, "signed out", session_ids)

    def begin_history(self, epoch: str):
        """The database was restored from a backup: nothing that this instance knows of chats and sessions counts any more."""
        logger.warning("the database has another history; all sockets start anew")
        self.epoch = epoch
        if self.remembered is not None:
            self.remembered.clear()
        for client in list(self.hub.clients):
            client.end(Close.RESTART, "another history")
        self.hub.clear()

    async def _sweep(self):
        """Close sockets that take nothing, and measure how late the event loop is."""
        while True:
            due = time.monotonic() + SWEEP_SECONDS
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            self._lag = max(0.0, now - due)
            metrics.loop_lag.set(self._lag)
            for client in [one for one in self.hub.clients if self.backpressure.has_stalled(one.writer, now)]:
                client.end(Close.TRY_AGAIN, "no progress")


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _link(link: Link) -> dict:
    return {**link.report(), "since": _iso(link.since)}
