"""The canary: what an instance publishes to itself, since only what comes back tells a quiet Redis from a silent one."""

import asyncio
import time

import metrics


class Canary:
    """One instance's canaries, `seconds` apart. One that does not come back within `timeout` seconds has the subscriber rebuilt.

    `boot` tells this process's canaries from those of a namesake; `control(message)` publishes, and answers whether it could.
    """

    def __init__(self, boot: str, publisher, subscriber, control, *, seconds: float, timeout: float):
        self._boot = boot
        self._publisher, self._subscriber, self._control = publisher, subscriber, control
        self._seconds, self._timeout = seconds, timeout
        self._sent = None  # monotonic time of the oldest canary not yet heard
        self._heard = None
        self.heard_at = None  # time.time()

    @property
    def is_heard(self) -> bool:
        return self._heard is not None and time.monotonic() - self._heard < self._timeout

    def heard(self, message: dict):
        """One of this process's own has come back."""
        self._heard, self.heard_at = time.monotonic(), time.time()
        self._sent = None
        if isinstance(sent := message.get("sent"), float):
            metrics.canary_seconds.set(self._heard - sent)

    def forget(self):
        """The subscriber is a new one: it cannot hear what was sent before."""
        self._sent = None

    async def run(self):
        while True:
            now = time.monotonic()
            if not self._publisher.up:
                self._sent = None  # what was not sent cannot be heard, and that is not the subscriber's fault
            if self._sent is not None and now - self._sent > self._timeout and self._subscriber.up:
                self._sent = None
                self._subscriber.rebuild("its canary is missing")
            elif self._control({"kind": "canary", "boot": self._boot, "sent": now}) and self._sent is None:
                self._sent = now
            await asyncio.sleep(self._seconds)
