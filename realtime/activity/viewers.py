"""What can be watched of the events' way: who watches on this instance, and the trace that it then keeps.

While somebody watches, the instance they watch on renews a lease on the control channel, and every instance that hears it keeps a
`Trace`: `committed`, `published`, `received`, `delivered` … are noted with their times and told ten times a second, on the ephemeral
channel `parley:activity` and to the viewers here. Nobody watching, there is no trace: `feed.trace` is None, and the hooks ask that
and nothing else. Names, ids, counts and times are told; never a text, and no user's id.
"""

import asyncio
import logging
import math
import time
from collections import Counter

import orjson

from chat.channels import CHANNELS, Kind
from realtime.activity.trace import Trace
from realtime.bus.channel_names import ACTIVITY
from realtime.protocol import frames
from realtime.protocol.close_codes import Close
from realtime.tasks import ended
from realtime.transport.backpressure import Backpressure

logger = logging.getLogger("parley.activity")

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
BATCH_SECONDS = 0.1
REPORT_SECONDS = 1.0  # between two reports of how the instance is
NEVER = -math.inf  # and not 0.0, which is a moment ago on a machine that has just started
MOST_BYTES = 256 * 1024  # of a batch from another instance


class Viewer:
    """One socket that watches. `writer` is the way out; `close(code, reason)` ends it."""

    __slots__ = ("session_id", "writer", "_close", "_activity")

    def __init__(self, activity: "Activity", session_id: str, writer, close):
        self.session_id = session_id
        self.writer = writer
        self._close = close
        self._activity = activity

    def try_send(self, frame: bytes):
        """What a slow viewer cannot take, it misses."""
        if not self._activity.backpressure.is_full(self.writer):
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

    def __init__(
        self,
        instance: str,
        boot: str,
        backpressure: Backpressure,
        *,
        most_viewers: int,
        report,
        publish,
        control,
        on_trace,
    ):
        """`report()` answers how the instance is; `publish(batch)` and `control(message)` go to Redis; `on_trace(trace or None)` hooks it in.

        `boot` tells this process from a namesake.
        """
        self.viewers: set[Viewer] = set()
        self.counts = Counter(heard=0, doubled=0, reordered=0, lost=0, repaired=0)
        self._instance, self._boot, self._most_viewers = instance, boot, most_viewers
        self.backpressure = backpressure
        self._report, self._publish, self._control, self._on_trace = report, publish, control, on_trace
        self._leased_until = self._renewed_at = self._reported_at = NEVER  # monotonic
        self._task = None

    @property
    def session_ids(self) -> set[str]:
        return {viewer.session_id for viewer in self.viewers}

    def watch(self, session_id: str, writer, close) -> Viewer:
        """A socket that may watch; it is closed at once where there are too many here."""
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
        """Somebody watches, here or elsewhere, for so long. Who `is_new` is told at once where the counts stand, to count from there."""
        if is_new is True:
            self._reported_at = NEVER
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
                is_due = self.viewers and now - self._renewed_at >= RENEW_SECONDS
                # While Redis does not take it, it is said again with the next batch.
                if is_due and self._control(
                    {"kind": "activity", "seconds": LEASE_SECONDS, "new": self._renewed_at is NEVER}
                ):
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
            viewer.try_send(frame)

    def _end_stalled(self, now):
        for viewer in [one for one in self.viewers if self.backpressure.has_stalled(one.writer, now)]:
            viewer.end(Close.TRY_AGAIN, "no progress")


def _channels() -> list[dict]:
    return [{"name": channel.name, "logged": channel.kind is Kind.LOGGED} for channel in CHANNELS.values()]
