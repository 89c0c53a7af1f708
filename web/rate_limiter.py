"""How fast one user may change things on this instance: a token bucket for each user."""

import math
import time
from collections import OrderedDict

REMEMBER_MOST = 100_000


class RateLimiter:
    """Up to `per_second` for as long as one likes, after a burst of `burst`."""

    def __init__(self, per_second: float, burst: float, *, clock=time.monotonic):
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and since when

    def take(self, user_id: str) -> int:
        """Take one; answers 0, or the whole seconds after which it can be had."""
        now = self._clock()
        left, since = self._buckets.pop(user_id, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) / self._per_second))
        self._buckets[user_id] = (left if wait else left - 1, now)
        if len(self._buckets) > REMEMBER_MOST:
            self._buckets.popitem(last=False)  # the longest idle, which is full or nearly so
        return wait
