"""The viewers of the Activity page on this instance, and the trace that it keeps while there is a viewer anywhere.

A viewer's instance renews a lease on the control channel, and every instance that receives it keeps a `Trace`: it notes `committed`,
`published`, `received`, `delivered` … with their times, and sends them in batches on the ephemeral channel `parley:activity` and to its
own viewers. Without viewers there is no trace, and each hook costs one comparison with None. A batch has names, ids, counts and times;
never a message's text, and no user's id.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection

import orjson

from chat.channels import CHANNELS, Kind
from realtime.activity.trace import Trace
from realtime.bus.channel_names import ACTIVITY
from realtime.protocol import frames
from realtime.protocol.close_codes import Close
from realtime.tasks import ended
from realtime.transport.backpressure import Backpressure
from realtime.transport.socket_writer import SocketWriter

logger = logging.getLogger("parley.activity")

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
BATCH_SECONDS = 0.1
REPORT_SECONDS = 1.0  # between two reports of the instance's state
NEVER = -math.inf  # 0.0 would be a moment ago on a machine that has just started
MOST_BYTES = 256 * 1024  # of a batch from another instance


class Viewer:
    """One viewer's socket. `writer` sends its bytes; `close(code, reason)` ends it."""

    __slots__ = ("session_id", "writer", "_close", "_activity")

    def __init__(
        self, activity: "Activity", session_id: str, writer: SocketWriter, close: Callable[[int, str], object]
    ):
        self.session_id = session_id
        self.writer = writer
        self._close = close
        self._activity = activity

    def try_send(self, frame: bytes):
        """Queue a ready frame; a viewer whose socket has no room misses it."""
        if not self._activity.backpressure.is_full(self.writer):
            self.writer.send(frame)

    def receive(self, message: str | bytes):
        """A viewer must not send anything."""
        self.end(Close.BAD_FRAME, "nothing is said here")

    def end(self, code: Close, reason: str):
        self.gone()
        self.writer.flush()
        self._close(int(code), reason)

    def gone(self):
        """The socket has ended, whichever side closed it."""
        self._activity.viewers.discard(self)


class Activity:
    """The viewers of one instance, and its trace while there is a viewer here or elsewhere."""

    def __init__(
        self,
        instance: str,
        boot: str,
        backpressure: Backpressure,
        *,
        most_viewers: int,
        report: Callable[[], dict],
        publish: Callable[[list[tuple[str, bytes]]], object],
        publish_control: Callable[[dict], bool],
        on_trace: Callable[[Trace | None], object],
    ):
        """`report()` answers the instance's state. `publish(batch)` and `publish_control(message)` hand messages to Redis.

        `on_trace(trace)` is called when a trace begins, and with None when it ends. `boot` names this process, since another one may have
        the instance's name.
        """
        self.viewers: set[Viewer] = set()
        self.counts = Counter(heard=0, doubled=0, reordered=0, lost=0, repaired=0)
        self._instance, self._boot, self._most_viewers = instance, boot, most_viewers
        self.backpressure = backpressure
        self._report, self._publish, self._publish_control, self._on_trace = report, publish, publish_control, on_trace
        self._leased_until = self._renewed_at = self._reported_at = NEVER  # monotonic
        self._task: asyncio.Future | None = None

    @property
    def session_ids(self) -> set[str]:
        return {viewer.session_id for viewer in self.viewers}

    def watch(self, session_id: str, writer: SocketWriter, close: Callable[[int, str], object]) -> Viewer:
        """A new viewer; its socket is closed at once where this instance has too many."""
        viewer = Viewer(self, session_id, writer, close)
        if len(self.viewers) >= self._most_viewers:
            viewer.end(Close.TOO_MANY_SOCKETS, "too many viewers")
            return viewer
        self.viewers.add(viewer)
        viewer.try_send(frames.encode({"type": "welcome", "instance": self._instance, "channels": _channels()}))
        self._renewed_at = self._reported_at = NEVER
        self._begin()
        return viewer

    def lease(self, seconds, is_new=False):
        """There is a viewer, here or elsewhere, for so many seconds. One that `is_new` gets the counts at once, to count from there."""
        if is_new is True:
            self._reported_at = NEVER
        if isinstance(seconds, int | float) and seconds > 0:
            self._leased_until = max(self._leased_until, time.monotonic() + min(seconds, LEASE_SECONDS))
            self._begin()

    def receive(self, payload: bytes):
        """Take a batch of another instance, for the viewers here."""
        if not self.viewers or len(payload) > MOST_BYTES:
            return
        batch = orjson.loads(payload)
        if batch["type"] == "activity" and isinstance(batch["instance"], str) and batch["boot"] != self._boot:
            self._send_to_viewers(payload)

    def end_viewers(self, code: Close, reason: str, session_ids: Collection[str] | None = None):
        """Close the viewers of these sessions, or all."""
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
                is_due = self.viewers and now - self._renewed_at >= RENEW_SECONDS
                # Where Redis does not take the lease, it is published again with the next batch.
                if is_due and self._publish_control(
                    {"kind": "activity", "seconds": LEASE_SECONDS, "new": self._renewed_at is NEVER}
                ):
                    self._renewed_at = now
                reports = now - self._reported_at >= REPORT_SECONDS
                self._reported_at = now if reports else self._reported_at
                self._publish_batch(trace, self._report() if reports else None)
                self._end_stalled(now)
                await asyncio.sleep(BATCH_SECONDS)
        finally:
            self._on_trace(None)
            self._task = None

    def _publish_batch(self, trace: Trace, report: dict | None):
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
        self._send_to_viewers(payload)

    def _send_to_viewers(self, payload: bytes):
        frame = frames.text_frame(payload)
        for viewer in self.viewers:
            viewer.try_send(frame)

    def _end_stalled(self, now: float):
        for viewer in [one for one in self.viewers if self.backpressure.has_stalled(one.writer, now)]:
            viewer.end(Close.TRY_AGAIN, "no progress")


def _channels() -> list[dict]:
    return [{"name": channel.name, "logged": channel.kind is Kind.LOGGED} for channel in CHANNELS.values()]
