"""How long to wait before connecting again. Pure."""

import random

STEP = 0.05
MOST = 2.0


def delay(attempt: int, chance=random.random) -> float:
    """Seconds before attempt 1, 2, …: `min(attempt × 50 ms, 2 s)`, shortened by up to half so that instances do not move in step."""
    return min(attempt * STEP, MOST) * (0.5 + chance() / 2)
