"""One client: its hello, its replay, its end. The event stream decides what it gets, and its writer sends the bytes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import metrics
from chat import memberships
from chat.channels import ABOUT_CHATS, STATES
from chat.events import Event
from chat.states import Asked
from errors import ParleyError
from realtime.protocol import client_frames, frames, resume
from realtime.protocol.client_frames import BadFrame, Hello, Ping, Typing, Unknown
from realtime.protocol.close_codes import Close
from realtime.protocol.position import Step, step
from realtime.protocol.resume import Continuation
from realtime.stream import replay
from realtime.stream.chat_stream import ChatStream
from realtime.stream.instance import Instance
from realtime.transport.socket_writer import SocketWriter

logger = logging.getLogger("parley.client")

REPLAY_EVENTS = 1000  # read at a time for one client, at most a page more
TYPING_SECONDS = 3.0
NOTHING_TYPED: dict[str, float] = {}  # shared by all clients that have not typed; it is replaced, never changed
RETRY_SECONDS = 0.2


class Client:
    """A signed-in user's socket on the instance `node`. `writer` sends its bytes, `close(code, reason)` ends it."""

    __slots__ = (
        "user_id",
        "session_id",
        "channels",
        "streams",
        "catching_up",
        "closed",
        "_node",
        "writer",
        "_close",
        "_said_hello",
        "_opened",
        "_missed_state",
        "_missed_since",
        "_allowance",
        "_allowance_at",
        "_typed",
        "_hello_timer",
        "_task",
        "__weakref__",
    )

    def __init__(
        self, node: Instance, session_id: str, user_id: str, writer: SocketWriter, close: Callable[[int, str], object]
    ):
        self.user_id = user_id
        self.session_id = session_id
        self.channels: frozenset[str] = frozenset()
        self.streams: dict[str, ChatStream] = {}  # by chat id
        self.catching_up = False
        self.closed = False
        self._node = node
        self.writer = writer
        self._close = close
        self._said_hello = False
        self._opened = False  # it follows every chat of its user; `synced` may not have been sent yet
        self._missed_state = False
        self._missed_since: datetime | None = None
        self._allowance = 2.0 * node.limits.frames_per_second
        self._allowance_at = time.monotonic()
        self._typed = NOTHING_TYPED
        self._task: asyncio.Future | None = None
        self._hello_timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            node.limits.hello_seconds, self.end, Close.NO_HELLO, "no hello"
        )

    # Sending, with one verb for each guarantee: `try_send` may leave a frame out and says so, `send` never leaves one out, and
    # `send_state` sends the present value later where it left one out.

    def try_send(self, frame: bytes) -> bool:
        """Queue a ready frame; False where the socket has too much unsent, and nothing was queued."""
        if self._node.backpressure.is_full(self.writer):
            return False
        self.writer.send(frame)
        return True

    def send(self, frame: dict):
        """Queue a frame that must not be left out. A socket that does not even take these is closed."""
        if self._node.backpressure.is_hopeless(self.writer):
            self.end(Close.TRY_AGAIN, "too slow")
        if not self.closed:
            self.writer.send(frames.encode(frame))

    def send_state(self, event: Event):
        """Send a state. Where the socket has no room for it, the present value is sent when it has drained."""
        if event.channel in self.channels and not self.try_send(frames.encode(frames.of_event(event))):
            self.missed_state(event)

    async def _room(self):
        """Wait until the next `try_send` succeeds. The states that are sent afresh may be more than fits, and none may be left out again."""
        while self._node.backpressure.is_full(self.writer):
            await self.writer.drained()

    def missed_state(self, event: Event):
        """A state was left out because the socket is slow. The present values are sent when it has drained."""
        if moment := STATES[event.channel].moment:
            moved_at = datetime.fromisoformat(event.data[moment].replace("Z", "+00:00"))
            self._missed_since = min(moved_at, self._missed_since or moved_at)
        self._missed_state = True
        self.catch_up()

    def end(self, code: Close, reason: str = ""):
        """Close the socket after the frames that are queued."""
        if not self.closed:
            metrics.socket_closes.labels(str(int(code))).inc()
            self.writer.flush()
            self._close(int(code), reason)
            self.gone()

    def gone(self):
        """The socket has ended, whichever side closed it."""
        if not self.closed:
            self.closed = True
            if self._hello_timer is not None:
                self._hello_timer.cancel()
                self._hello_timer = None
            if self._task is not None:
                self._task.cancel()
            self._node.hub.remove(self)

    # Receiving

    def receive(self, message: str | bytes):
        """A frame from the client."""
        if self.closed or not self._within_rate():
            return
        try:
            frame = client_frames.parse(message)
            if isinstance(frame, Hello) is self._said_hello:
                raise BadFrame("The first frame, and only the first, is hello.", "type")
        except BadFrame as error:
            self.send(frames.error("invalid_value", str(error), error.field))
            self.end(Close.BAD_FRAME, "bad frame")
            return
        if isinstance(frame, Hello):
            self._said_hello = True
            if self._hello_timer is not None:
                self._hello_timer.cancel()
                self._hello_timer = None
            self._task = asyncio.ensure_future(self._run(self._open, frame))
        elif isinstance(frame, Ping):
            self.try_send(frames.PONG)
        elif isinstance(frame, Typing):
            self._type(frame.chat_id)
        elif isinstance(frame, Unknown):
            # The client is of a newer release. It gets an error and goes on.
            self.try_send(
                frames.encode(frames.error("invalid_value", "This instance does not know this type.", "type"))
            )

    def _within_rate(self) -> bool:
        now, rate = time.monotonic(), self._node.limits.frames_per_second
        self._allowance = min(self._allowance + (now - self._allowance_at) * rate, 2.0 * rate) - 1
        self._allowance_at = now
        if self._allowance < 0:
            self.end(Close.TOO_FAST, "too fast")
            return False
        return True

    def _type(self, chat_id: str):
        if chat_id not in self.streams:
            self.send(frames.error("not_found", "There is no such chat, or it is not yours to see.", "chatId"))
            return
        now = time.monotonic()
        if now - self._typed.get(chat_id, -TYPING_SECONDS) >= TYPING_SECONDS:
            self._typed = {chat: at for chat, at in self._typed.items() if now - at < TYPING_SECONDS}
            self._typed[chat_id] = now
            self._node.typing(chat_id, self.user_id)

    async def _run(self, work: Callable[..., Awaitable[None]], *arguments):
        try:
            await work(*arguments)
        except ParleyError as error:
            logger.warning("socket of %s cannot be served: %s", self.user_id, getattr(error, "why", error))
            self.end(Close.TRY_AGAIN, "unavailable")
        except Exception:
            logger.exception("socket of %s failed", self.user_id)
            self.end(Close.TRY_AGAIN, "internal error")
        finally:
            if self._task is asyncio.current_task():
                self._task = None  # it may have started the next one

    # Opening

    async def _open(self, hello: Hello):
        node = self._node
        self.channels = hello.channels
        with node.event_stream.join_buffer.noting():
            async with node.openings:
                membership = await memberships.membership(node.db, self.user_id)
            if self.closed:
                return
            plan = resume.plan(self.user_id, node.instance, membership, hello, node.limits.replay_limit)
            for frame in plan.first:
                self.send(frame)
            if hello.cursors:
                metrics.resumes.inc()
            for reason in plan.resets:
                metrics.resets.labels(reason).inc()
            node.hub.add(self, membership.version)
            self.catching_up = True  # this task does it
            for chat_id, position in plan.positions.items():
                if node.event_stream.join_buffer.begin(self, chat_id, position, membership.chats[chat_id]):
                    plan.missed.add(chat_id)
            joined = node.event_stream.join_buffer.joined(self.user_id)
        self._opened = True
        if joined:
            await node.event_stream.refresh_memberships([self.user_id])
        # The welcome may have named events that this instance has not received yet.
        await self._replay({chat_id: standing.head for chat_id, standing in membership.chats.items()})
        await self._send_states(membership, plan.missed, hello.since)
        self.send(
            frames.synced({chat_id: self._position(stream) for chat_id, stream in self.streams.items()}, membership.at)
        )
        self._finish()
        if hello.presence:
            node.hub.follow_presence(self)

    async def _send_states(self, membership: memberships.Membership, missed: set[str], since: datetime | None):
        """Send the present values that may differ from those that the client has."""
        asked = Asked(self.user_id, membership, missed, since, tuple(self.streams))
        for channel, state in STATES.items():
            if channel in self.channels:
                for event in await state.afresh(self._node.db, asked):
                    await self._room()
                    self._node.event_stream.latest_values.send_afresh(self, event)

    def _position(self, stream: ChatStream) -> int:
        return stream.position_of(self)

    # Catching up

    def catch_up(self):
        """Replay the chats in which this client fell behind, and send the states that it missed, as soon as its socket has drained."""
        if self._opened and not self.catching_up and not self.closed:
            self.catching_up = True
            self._task = asyncio.ensure_future(self._run(self._catch_up))

    async def _catch_up(self):
        await self._replay()
        if self._missed_state:
            await self.writer.drained()
            since, self._missed_state, self._missed_since = self._missed_since, False, None
            membership = await memberships.membership(self._node.db, self.user_id)
            await self._send_states(membership, set(membership.chats), since)
        self._finish()

    def _finish(self):
        self.catching_up = False
        # The client may have fallen behind again while this task was ending.
        if not self.closed and (self._missed_state or self._missing()):
            self.catch_up()

    def _missing(self, heads: dict[str, int] | None = None) -> dict[str, int]:
        """How many events this client is behind its instance and these heads, for each chat where it is behind."""
        heads = heads or {}
        missing = (
            (chat_id, max(stream.position, heads.get(chat_id, 0)) - self._position(stream))
            for chat_id, stream in self.streams.items()
        )
        return {chat_id: number for chat_id, number in missing if number > 0}

    async def _replay(self, heads: dict[str, int] | None = None):
        """Replay page by page, as fast as the socket takes it, until the client has what its instance has, and at least these heads."""
        node = self._node
        while self._missing(heads):
            await self.writer.drained()
            async with node.catch_ups:
                positions = {chat_id: self._position(stream) for chat_id, stream in self.streams.items()}
                parts = await replay.continuations(node, self.user_id, self._missing(heads), positions, REPLAY_EVENTS)
            moved = False
            for part in parts:
                stream = self.streams.get(part.chat_id)
                # A page is of use only where the client's position in this chat has not changed since the question.
                if stream is not None and self._position(stream) == part.position:
                    moved |= self._apply(stream, part)
            if not moved:
                await asyncio.sleep(RETRY_SECONDS)

    def _apply(self, stream: ChatStream, part: Continuation) -> bool:
        """Send how one chat continues; answers whether that changed the client's position."""
        event_stream = self._node.event_stream
        if part.head < stream.position and not (part.left and part.head == 0):
            return False  # the page is older than what this instance has delivered: read it again
        if part.left:
            event_stream.leave(self, stream)
            return True
        position = part.position
        if part.reset is not None:
            metrics.resets.labels(part.reset.value).inc()
            self.send(frames.reset(stream.chat_id, part.head, part.reset.value))
            position = part.head
        for event in part.events:
            if step(position, event.seq) is Step.DELIVER:
                if not self.try_send(frames.encode(frames.of_event(event))):
                    break
                metrics.replayed_events.inc()
                if event_stream.trace is not None:
                    event_stream.trace.replayed(event)
                position = event.seq
                if event.channel in ABOUT_CHATS:
                    # The user may have left and come back meanwhile.
                    event_stream.latest_values.refresh_counts(stream, {self.user_id})
        self._node.hub.attach(self, stream, position)
        if position > stream.position:
            event_stream.pull(stream, position, "replay")
        return position != part.position
