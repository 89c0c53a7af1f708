"""Two builds in turn: what is counted, in which order, and how the ratio is judged."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from bench import report
from bench.versus import Figure, compared

OURS, THEIRS = SimpleNamespace(name="this build"), SimpleNamespace(name="0123456")


class Lab:
    """Notes what is set up and measured; the nth measurement of a side answers n times its figure."""

    def __init__(self, ours=1.0, theirs=2.0):
        self.said, self._figures, self._counts = [], {"this build": ours, "0123456": theirs}, {}

    @contextmanager
    def set_up(self, side):
        self.said.append(f"{side.name} up")

        def measure():
            self.said.append(side.name)
            self._counts[side.name] = self._counts.get(side.name, 0) + 1
            return {"figure": self._figures[side.name] * self._counts[side.name]}

        yield measure
        self.said.append(f"{side.name} down")

    def rows(self, figure=Figure("CPU", "µs"), **options):
        return list(compared("send", (OURS, THEIRS), {"figure": figure}, self.set_up, **options))


def test_the_builds_take_turns_and_take_turns_in_beginning():
    lab = Lab()
    lab.rows(times=1, runs=3, warm_up=0)
    runs = [line for line in lab.said if " " not in line or line == "this build"]
    assert runs == ["this build", "0123456", "0123456", "this build", "this build", "0123456"]


def test_both_are_there_while_either_is_measured_and_are_set_up_anew():
    lab = Lab()
    lab.rows(times=2, runs=1, warm_up=0)
    assert lab.said[:2] == ["this build up", "0123456 up"]
    assert [line for line in lab.said if line.endswith("up")] == [
        "this build up",
        "0123456 up",
        "0123456 up",
        "this build up",
    ]
    assert lab.said.index("this build down") > lab.said.index("0123456")


def test_what_warms_up_is_not_counted():
    (row,) = Lab().rows(times=1, runs=1, warm_up=2)
    assert row.figure == "0.500 × (3 µs, 0123456 6; pairs 0.50 to 0.50)"


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("CPU", "µs"), report.SHOWN),
        (Figure("CPU", "µs", 0.5), report.OK),
        (Figure("CPU", "µs", 0.49), report.MISSED),
        (Figure("messages", "/s", 0.5, more=True), report.OK),
        (Figure("messages", "/s", 0.51, more=True), report.MISSED),
    ],
)
def test_a_mark_is_a_ratio_of_medians(figure, verdict):
    (row,) = Lab().rows(figure)
    assert row.verdict == verdict
    assert "0123456" in row.mark or verdict == report.SHOWN
