"""The canary: a message that an instance publishes to itself. Only its return tells a Redis with nothing to say from a dead one."""

import asyncio
import time
from collections.abc import Callable

import metrics
from realtime.bus.connections import Publisher, Subscriber


class Canary:
    """One instance's canaries, `seconds` apart. The subscriber is rebuilt when one does not come back within `timeout` seconds.

    `boot` names this process, since another one may have the instance's name. `publish(message)` answers whether Redis took it.
    """

    def __init__(
        self,
        boot: str,
        publisher: Publisher,
        subscriber: Subscriber,
        publish: Callable[[dict], bool],
        *,
        seconds: float,
        timeout: float,
    ):
        self._boot = boot
        self._publisher, self._subscriber, self._publish = publisher, subscriber, publish
        self._seconds, self._timeout = seconds, timeout
        self._sent: float | None = None  # monotonic time of the oldest canary not yet heard
        self._heard: float | None = None  # monotonic
        self.heard_at: float | None = None  # time.time()

    @property
    def is_heard(self) -> bool:
        return self._heard is not None and time.monotonic() - self._heard < self._timeout

    def receive(self, message: dict):
        """Take a canary; only this process's own ones count."""
        if message.get("boot") != self._boot:
            return
        self._heard, self.heard_at = time.monotonic(), time.time()
        self._sent = None
        if isinstance(sent := message.get("sent"), float):
            metrics.canary_seconds.set(self._heard - sent)

    def forget(self):
        """The subscriber is a new one, which cannot receive what was sent before."""
        self._sent = None

    async def run(self):
        while True:
            now = time.monotonic()
            if not self._publisher.up:
                self._sent = None  # no canary leaves, and that is not the subscriber's fault
            if self._sent is not None and now - self._sent > self._timeout and self._subscriber.up:
                self._sent = None
                self._subscriber.rebuild("its canary is missing")
            elif self._publish({"kind": "canary", "boot": self._boot, "sent": now}) and self._sent is None:
                self._sent = now
            await asyncio.sleep(self._seconds)
