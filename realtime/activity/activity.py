"""What can be watched of the events' way: who watches on this instance, and the trace that it then keeps.

While somebody watches, the instance they watch on renews a lease on the control channel, and every instance that hears it keeps a
`Trace`: `committed`, `published`, `received`, `delivered` … are noted with their times and told ten times a second, on the ephemeral
channel `parley:activity` and to the viewers here. Nobody watching, there is no trace: `feed.trace` is None, and the hooks ask that
and nothing else. Names, ids, counts and times are told; never a text, and no user's id.
"""

import asyncio
import hashlib
import logging
import time
from collections import Counter

import orjson

from chat.channels import CHANNELS, LOGGED, Kind
from realtime.bus.channel_names import ACTIVITY, channel_of
from realtime.protocol import frames
from realtime.protocol.frames import Close
from realtime.tasks import ended

logger = logging.getLogger("parley.activity")

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
BATCH_SECONDS = 0.1
REPORT_SECONDS = 1.0  # between two reports of how the instance is
MOST_POINTS = 300  # in one batch; what is more is counted and left out
MOST_BYTES = 256 * 1024  # of a batch from another instance
REMEMBERED = 4096  # events by which doubles are known


class Trace:
    """What happens on one instance between two batches. Equal points are one, with a number."""

    def __init__(self, instance: str, counts: Counter):
        """`counts` go on from one trace to the next: logged events heard, doubled, reordered, lost, repaired."""
        self.counts = counts
        self._instance = instance
        self._points: dict[tuple, list] = {}  # (step, channel, chat, seq, of) → [time, number]
        self._left_out = 0
        self._heard: dict[tuple, None] = {}  # (channel, chat, seq), oldest first
        self._newest: dict[tuple, int] = {}  # (channel, chat) → seq

    def take(self) -> tuple[list[dict], int]:
        """The points so far, once, and how many more there were than are told."""
        points = [
            {
                "step": step,
                "channel": channel,
                "chatId": chat_id,
                "seq": seq,
                "at": round(at * 1000, 2),
                "n": number,
                "of": of,
            }
            for (step, channel, chat_id, seq, of), (at, number) in self._points.items()
        ]
        left_out, self._left_out = self._left_out, 0
        self._points.clear()
        return points, left_out

    def _note(self, step, channel, chat_id, seq, *, at=None, n=1, of=None):
        key = (step, channel, chat_id, seq, of)
        if point := self._points.get(key):
            point[1] += n
        elif len(self._points) < MOST_POINTS:
            self._points[key] = [at or time.time(), n]
        else:
            self._left_out += 1

    # The hooks, in the order of a message's way

    def accepted(self, events, seconds: float):
        """The request that has made these events began so long ago."""
        for event in events:
            if event.channel in LOGGED:
                self._note("accepted", event.channel, event.chat_id, event.seq, at=time.time() - seconds)

    def committed(self, events):
        for event in events:
            if event.channel in LOGGED:
                self._note(
                    "committed",
                    event.channel,
                    event.chat_id,
                    event.seq,
                    of=alias(event.chat_id, event.data.get("senderId")),
                )
            elif event.channel == "messageReadUpdated":
                self._note(
                    "read", event.channel, event.chat_id, event.seq, of=alias(event.chat_id, event.data["userId"])
                )

    def published(self, batch, taken: bool):
        """Redis has taken these `(address, payload)`s, or not."""
        for address, payload in batch:
            if (channel := channel_of(address)) in CHANNELS:
                meta = orjson.loads(payload)["_"]
                self._note("published" if taken else "untaken", channel, meta["chatId"], meta["seq"])
                self.counts["lost"] += not taken and channel in LOGGED

    def received(self, event, publisher: str):
        """From Redis; `publisher` is the instance that it comes from."""
        step, key = "received", (event.channel, event.chat_id, event.seq)
        if event.channel in LOGGED:  # of a state, two may have the same seq, and the older one may come late
            self.counts["heard"] += 1
            newest = self._newest.get(key[:2], 0)
            if key in self._heard:
                step = "doubled"
            elif event.seq < newest:
                step = "reordered"
            if step != "received":
                self.counts[step] += 1
            self._heard[key] = None
            self._newest[key[:2]] = max(newest, event.seq)
            if len(self._heard) > REMEMBERED:
                oldest = next(iter(self._heard))
                del self._heard[oldest]
                self._newest.pop(oldest[:2], None)
        self._note(step, *key, of=publisher)

    def gap(self, event, known: int):
        """An event is ahead of the position `known`; `of` says how many are between."""
        self._note("gap", event.channel, event.chat_id, event.seq, of=event.seq - known - 1)

    def delivered(self, channel: str, event, sockets: int):
        if sockets:
            self._note("delivered", channel, event.chat_id, event.seq, n=sockets)

    def pulled(self, event):
        """Read from PostgreSQL because Redis did not bring it."""
        self.counts["repaired"] += 1
        self._note("pulled", event.channel, event.chat_id, event.seq)

    def replayed(self, event):
        """Read from PostgreSQL for one socket that came back or was slow."""
        self.counts["repaired"] += 1
        self._note("replayed", event.channel, event.chat_id, event.seq)


def alias(chat_id: str, user_id: str | None) -> str | None:
    """Tells the people of one chat apart, and nothing else of them."""
    return user_id and hashlib.sha256(f"{chat_id}{user_id}".encode()).hexdigest()[:8]


class Viewer:
    """One socket that watches. `wire` is the way out; `close(code, reason)` ends it."""

    __slots__ = ("session_id", "writer", "_close", "_most", "_activity")

    def __init__(self, activity: "Activity", session_id: str, writer, close, most: int):
        self.session_id = session_id
        self.writer = writer
        self._close = close
        self._most = most
        self._activity = activity

    def send(self, frame: bytes):
        """What a slow viewer cannot take, it misses."""
        if self.writer.unsent + self.writer.queued <= self._most:
            self.writer.send(frame)

    def receive(self, message):
        """Nothing is said here."""
        self.end(Close.BAD_FRAME, "nothing is said here")

    def end(self, code: Close, reason: str):
        self.gone()
        self.writer.flush()
        self._close(int(code), reason)

    def gone(self):
        """The socket has ended, from whichever side."""
        self._activity.viewers.discard(self)


class Activity:
    """The viewers of one instance, and its trace while somebody watches here or elsewhere."""

    def __init__(self, instance: str, boot: str, limits, *, report, publish, control, on_trace):
        """`report()` answers how the instance is; `publish(batch)` and `control(message)` go to Redis; `on_trace(trace or None)` hooks it in.

        `boot` tells this process from a namesake.
        """
        self.viewers: set[Viewer] = set()
        self.counts = Counter(heard=0, doubled=0, reordered=0, lost=0, repaired=0)
        self._instance, self._boot, self._limits = instance, boot, limits
        self._report, self._publish, self._control, self._on_trace = report, publish, control, on_trace
        self._leased_until = self._renewed_at = self._reported_at = 0.0  # monotonic
        self._task = None

    @property
    def session_ids(self) -> set[str]:
        return {viewer.session_id for viewer in self.viewers}

    def watch(self, session_id: str, writer, close) -> Viewer:
        """A socket that may watch; it is closed at once where there are too many here."""
        viewer = Viewer(self, session_id, writer, close, self._limits.socket_buffer_bytes)
        if len(self.viewers) >= self._limits.activity_viewers:
            viewer.end(Close.TOO_MANY_SOCKETS, "too many viewers")
            return viewer
        self.viewers.add(viewer)
        viewer.send(frames.encode({"type": "welcome", "instance": self._instance, "channels": _channels()}))
        self._renewed_at = self._reported_at = 0.0
        self._begin()
        return viewer

    def lease(self, seconds, is_new=False):
        """Somebody watches, here or elsewhere, for so long. Who `is_new` is told at once where the counts stand, to count from there."""
        if is_new is True:
            self._reported_at = 0.0
        if isinstance(seconds, int | float) and seconds > 0:
            self._leased_until = max(self._leased_until, time.monotonic() + min(seconds, LEASE_SECONDS))
            self._begin()

    def heard(self, payload: bytes):
        """A batch of another instance, for the viewers here."""
        if not self.viewers or len(payload) > MOST_BYTES:
            return
        batch = orjson.loads(payload)
        if batch["type"] == "activity" and isinstance(batch["instance"], str) and batch["boot"] != self._boot:
            self._tell_viewers(payload)

    def end_viewers(self, code: Close, reason: str, session_ids=None):
        """Close these sessions' viewers, or all."""
        for viewer in [one for one in self.viewers if session_ids is None or one.session_id in session_ids]:
            viewer.end(code, reason)

    async def stop(self):
        if self._task is not None:
            await ended(self._task)

    def _begin(self):
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self):
        trace = Trace(self._instance, self.counts)
        self._on_trace(trace)
        try:
            while self.viewers or time.monotonic() < self._leased_until:
                now = time.monotonic()
                if self.viewers and now - self._renewed_at >= RENEW_SECONDS:
                    self._control({"kind": "activity", "seconds": LEASE_SECONDS, "new": not self._renewed_at})
                    self._renewed_at = now
                reports = now - self._reported_at >= REPORT_SECONDS
                self._reported_at = now if reports else self._reported_at
                self._tell(trace, self._report() if reports else None)
                self._end_stalled(now)
                await asyncio.sleep(BATCH_SECONDS)
        finally:
            self._on_trace(None)
            self._task = None

    def _tell(self, trace, report):
        points, left_out = trace.take()
        if not points and report is None:
            return
        payload = orjson.dumps(
            {
                "type": "activity",
                "instance": self._instance,
                "boot": self._boot,
                "at": round(time.time() * 1000, 2),
                "points": points,
                "leftOut": left_out,
                "report": report and {**report, "counts": self.counts},
            }
        )
        self._publish([(ACTIVITY, payload)])
        self._tell_viewers(payload)

    def _tell_viewers(self, payload):
        frame = frames.text_frame(payload)
        for viewer in self.viewers:
            viewer.send(frame)

    def _end_stalled(self, now):
        most = self._limits.socket_stall_seconds
        for viewer in [one for one in self.viewers if one.writer.unsent and now - one.writer.progress_at > most]:
            viewer.end(Close.TRY_AGAIN, "no progress")


def _channels() -> list[dict]:
    return [{"name": channel.name, "logged": channel.kind is Kind.LOGGED} for channel in CHANNELS.values()]
