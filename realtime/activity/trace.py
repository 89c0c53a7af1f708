"""The trace: what happens to events on one instance while somebody looks at the Activity page, step by step with its time."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable

import orjson

from chat.channels import CHANNELS, LOGGED
from chat.events import Event
from realtime.bus.channel_names import channel_of

MOST_POINTS = 300  # in one batch; further ones are counted and left out
REMEMBERED = 4096  # events, so that duplicates are recognised


class Trace:
    """What happens on one instance between two batches. Equal points are one point with a number."""

    def __init__(self, instance: str, counts: Counter):
        """`counts` continue from one trace to the next: logged events heard, doubled, reordered, lost, repaired."""
        self.counts = counts
        self._instance = instance
        self._points: dict[tuple, list] = {}  # (step, channel, chat, seq, of) → [time, number]
        self._left_out = 0
        self._heard: dict[tuple, None] = {}  # (channel, chat, seq), oldest first
        self._newest: dict[tuple, int] = {}  # (channel, chat) → seq

    def take(self) -> tuple[list[dict], int]:
        """The points since the last call, and how many were left out."""
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

    def accepted(self, events: Iterable[Event], seconds: float):
        """The request that made these events began so many seconds ago."""
        for event in events:
            if event.channel in LOGGED:
                self._note("accepted", event.channel, event.chat_id, event.seq, at=time.time() - seconds)

    def committed(self, events: Iterable[Event]):
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

    def published(self, batch: Iterable[tuple[str, bytes]], taken: bool):
        """Redis has taken these (name on Redis, payload) pairs, or not."""
        for name, payload in batch:
            if (channel := channel_of(name)) in CHANNELS:
                meta = orjson.loads(payload)["_"]
                self._note("published" if taken else "untaken", channel, meta["chatId"], meta["seq"])
                self.counts["lost"] += not taken and channel in LOGGED

    def received(self, event: Event, publisher: str):
        """An event came from Redis; `publisher` is the instance that published it."""
        step, key = "received", (event.channel, event.chat_id, event.seq)
        if event.channel in LOGGED:  # two states may have the same seq, and the older one may come late
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

    def gap(self, event: Event, known: int):
        """An event is ahead of the position `known`; `of` says how many are missing between them."""
        self._note("gap", event.channel, event.chat_id, event.seq, of=event.seq - known - 1)

    def delivered(self, channel: str, event: Event, sockets: int):
        if sockets:
            self._note("delivered", channel, event.chat_id, event.seq, n=sockets)

    def pulled(self, event: Event):
        """An event was read from PostgreSQL because Redis did not bring it."""
        self.counts["repaired"] += 1
        self._note("pulled", event.channel, event.chat_id, event.seq)

    def replayed(self, event: Event):
        """An event was read from PostgreSQL for one client that came back or was slow."""
        self.counts["repaired"] += 1
        self._note("replayed", event.channel, event.chat_id, event.seq)


def alias(chat_id: str, user_id: str | None) -> str | None:
    """A name that tells the people of one chat apart and reveals nothing else of them."""
    return user_id and hashlib.sha256(f"{chat_id}{user_id}".encode()).hexdigest()[:8]
