"""The faults by their names: what each does, for how long by default, and the counters that prove that it bit."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`inject(rig, seconds)` hurts the rig for about so long, and leaves what is to be healed to the rig.

    `proves` are the counters that must be above zero after it, or the trial proves nothing.
    """

    name: str
    inject: Callable[..., Awaitable]
    seconds: float
    proves: tuple[str, ...]

    @property
    def what(self) -> str:
        return " ".join(self.inject.__doc__.split())


FAULTS: dict[str, Fault] = {}


def fault(name: str, seconds: float, *proves: str):
    """Put a function into the catalog."""

    def enter(inject):
        FAULTS[name] = Fault(name, inject, seconds, proves)
        return inject

    return enter


def load() -> dict[str, Fault]:
    """All faults, in the order of docs/reliability.md."""
    from faults.catalog import instances, upgrades, redis, database, edges  # noqa: F401, I001  in this order

    return FAULTS
