"""Two builds in one run: the same measurement of each in turn, A B, B A, A B …, and a row with the ratio for each figure."""

from contextlib import ExitStack
from dataclasses import dataclass

from bench import report


@dataclass(frozen=True)
class Figure:
    """What is compared. `mark` is the ratio, ours by theirs, that must not be exceeded; with `more`, that must be reached."""

    what: str
    unit: str
    mark: float | None = None
    more: bool = False  # more is better


def compared(case: str, sides, figures: dict[str, Figure], set_up, *, times: int = 3, runs: int = 5, warm_up: int = 1):
    """The rows of a case. `set_up(side)` is a context whose value measures once: `measure()` answers a value for each of the figures.

    Everything is set up `times` times, and measured `runs` times each: two processes of the same code differ by some hundredths
    for as long as they live. Who begins changes with each run, so that neither has always the other's caches, and a machine that
    becomes slower hurts both.
    """
    found = [{name: [] for name in figures} for _ in sides]
    for time in range(times):
        with ExitStack() as stack:
            measures = {}
            for place in _turn(time):
                measures[place] = stack.enter_context(set_up(sides[place]))
            for run in range(-warm_up, runs):
                for place in _turn(run):
                    values = measures[place]()
                    if run >= 0:
                        for name in figures:
                            found[place][name].append(values[name])
    ours, theirs = found
    for name, figure in figures.items():
        yield report.versus(
            case, figure.what, ours[name], theirs[name], figure.unit, sides[1].name, figure.mark, figure.more
        )


def _turn(number):
    return (1, 0) if number % 2 else (0, 1)
