"""How long to wait before connecting again. Pure."""

import random
from collections.abc import Callable

STEP = 0.05
MOST = 2.0


def delay(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds before attempt 1, 2, …: `min(attempt × STEP, MOST)`, shortened by up to half so that instances do not all connect at once."""
    return min(attempt * STEP, MOST) * (0.5 + chance() / 2)
