"""Invariant 12: it goes on."""

from faults.evidence import Window
from faults.invariants.service import answered_in_time
from tests.faults.stories import right


def test_a_right_history_is_answered_in_time():
    assert answered_in_time(right().evidence()) is None


def test_a_request_that_takes_too_long_is_noticed_whether_answered_or_not():
    world = right()
    world.ben.does(5, 4, "look", ended=12.5, status=503)
    assert "was answered with 503 after 7.5 s" in answered_in_time(world.evidence())
    world = right()
    world.ben.does(5, 4, "look", ended=12.5, status=None)
    assert "was not answered after 7.5 s" in answered_in_time(world.evidence())


def test_a_client_whose_own_link_is_hurt_may_wait():
    world = right()
    world.ben.does(5, 4, "look", ended=12.5, status=None)
    assert answered_in_time(world.evidence(windows=[Window("client", "ben", 4, 9)])) is None
    assert answered_in_time(world.evidence(windows=[Window("client", "anna", 4, 9)])) is not None


def stuck(world):
    """Nothing succeeds in the chat for 15 s, while ben goes on trying."""
    for number in range(4, 8):
        world.ben.does(number, number, "send", status=503, text=f"text {number}")
    return world


def test_a_chat_that_stands_still_is_noticed():
    assert "chat chat stood still" in answered_in_time(stuck(right()).evidence(healed_at=20.0))


def test_unless_the_fault_stops_everything():
    assert answered_in_time(stuck(right()).evidence(healed_at=20.0, windows=[Window("all", "", 4, 18)])) is None


def test_memory_without_bounds_is_noticed():
    assert "web.1 took 900 MiB" in answered_in_time(right().evidence(memory={"web.1": 900}))
