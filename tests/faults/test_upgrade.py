"""What an upgrade must not do to anybody while the schema is migrated."""

import pytest

from faults.catalog.upgrades import served
from tests.faults.stories import right

START, END = 10.0, 11.0


@pytest.mark.parametrize(("status", "said"), [(503, "answered with 503"), (None, "not answered")])
def test_whoever_is_not_served_while_migrate_runs_is_a_problem(status, said):
    world = right()
    world.anna.does(9.9, 7, "send", status=status, ended=10.1)
    count, (problem,) = served(world.evidence(), START, END)
    assert count == 0
    assert f"(send by anna, key key 7) was {said} at 10.10 s, while `migrate` ran" in problem


@pytest.mark.parametrize(
    ("at", "ended", "status", "count"),
    [(9, 9.5, 503, 0), (11.5, 12, 503, 0), (10.2, 10.3, 201, 1), (9.9, 11.1, 404, 1)],
)
def test_whoever_is_served_or_asks_at_another_time_is_none(at, ended, status, count):
    world = right()
    world.anna.does(at, 7, "send", status=status, ended=ended)
    assert served(world.evidence(), START, END) == (count, [])


def test_a_sign_in_may_wait_for_a_core():
    world = right()
    world.anna.does(9.9, 7, "sign-in", status=503, ended=10.1)
    assert served(world.evidence(), START, END) == (0, [])
