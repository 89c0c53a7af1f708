"""Invariants 7 to 9: everybody at the head, and what they built is what there is."""

import pytest

from faults.evidence import Message
from faults.history import SignedIn, SignedOut
from faults.invariants.repair import built_is_fresh, slowest_repair, synced_at_head, unread_is_derived
from tests.faults.stories import CHAT, event, right, view


@pytest.mark.parametrize("invariant", [synced_at_head, built_is_fresh, unread_is_derived])
def test_a_right_history_is_whole(invariant):
    assert invariant(right().evidence()) is None


def test_a_client_that_does_not_get_the_last_event_is_noticed():
    world = right()
    world.events.append(event(4, at=9.0))
    world.anna.hears(9.1, 4)
    assert "ben was at 3 in chat chat at 15.00 s; seq 4" in synced_at_head(world.evidence())


def test_one_that_gets_it_too_late_is_noticed_and_one_that_gets_it_in_time_is_not():
    for late, noticed in ((16.0, True), (14.0, False)):
        world = right()
        world.events.append(event(4, at=9.0))
        world.anna.hears(9.1, 4)
        world.ben.hears(late, 4)
        assert bool(synced_at_head(world.evidence())) is noticed
        assert slowest_repair(world.evidence()) == late - 10


def test_an_event_after_healing_has_five_seconds_of_its_own():
    world = right()
    world.events.append(event(4, at=20.0))
    world.anna.hears(24.0, 4)
    world.ben.hears(26.0, 4)
    assert "ben was at 3" in synced_at_head(world.evidence())


def test_a_client_without_a_synced_socket_is_noticed():
    world = right()
    world.ben.closes(9)
    world.ben.opens(11, socket=2, cursors={CHAT: 3}, heads={CHAT: 3}, synced=False)
    assert "ben was not synced 5 s after healing" in synced_at_head(world.evidence())


def test_who_signed_out_is_synced_five_seconds_after_signing_in():
    world = right()
    world.ben.history.add(SignedOut(9, "ben's"))
    world.ben.closes(9.5)
    assert "could not sign in again" in synced_at_head(world.evidence())
    world.ben.history.add(SignedIn(12, 2))
    world.ben.opens(16, socket=2, cursors={CHAT: 3}, heads={CHAT: 3})
    assert synced_at_head(world.evidence()) is None


def test_who_is_no_longer_in_a_chat_need_not_reach_its_head():
    world = right()
    del world.watermarks[CHAT, "ben"]
    world.events.append(event(4, at=9.0))
    world.anna.hears(9.1, 4)
    assert synced_at_head(world.evidence()) is None


@pytest.mark.parametrize(
    ("built", "report"),
    [
        (view(messages={}), "message m2 is None"),
        (view(messages={"m2": (2, "hello", False)}), "message m2 is (2, 'hello', False)"),
        (
            view(messages={"m2": (2, "hello!", True), "m3": (3, "ghost", False)}),
            "message m3 is (3, 'ghost', False), not None",
        ),
        (view(participants=["anna"]), "participants 1 entries, not 2 entries"),
        (view(unread=1), "unread 1, not 0"),
        (view(name="Old"), "name 'Old', not 'Two'"),
        (view(watermarks={"anna": 2}), "the watermark of ben is None, not 2"),
    ],
)
def test_a_picture_that_differs_is_noticed(built, report):
    world = right()
    world.snapshots[1].built[CHAT] = built
    assert report in built_is_fresh(world.evidence())


def test_messages_older_than_what_a_client_fetched_are_not_compared():
    world = right()
    world.snapshots[1].built[CHAT] = view(messages={}, since=3)
    assert built_is_fresh(world.evidence()) is None


def test_a_chat_too_many_or_too_few_is_noticed():
    world = right()
    del world.snapshots[1].fresh[CHAT]
    assert "ben still believes in chat" in built_is_fresh(world.evidence())
    world = right()
    del world.snapshots[0].built[CHAT]
    assert "anna does not know of chat" in built_is_fresh(world.evidence())


@pytest.mark.parametrize(
    ("sender", "seq", "deleted", "counts"),
    [
        ("anna", 4, False, True),
        ("ben", 4, False, False),
        ("anna", 4, True, False),
        ("anna", 1, False, False),
    ],
)
def test_unread_counts_living_messages_of_others_above_the_watermark(sender, seq, deleted, counts):
    world = right()
    world.messages.append(Message("m4", CHAT, seq, sender, "", 4.0, deleted))
    world.watermarks[CHAT, "anna"] = 9
    assert bool(unread_is_derived(world.evidence())) is counts
