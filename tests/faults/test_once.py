"""Invariants 1 and 2: what became of each operation."""

from dataclasses import replace

from faults.evidence import Message
from faults.invariants.once import acknowledged_exactly_once, unacknowledged_at_most_once
from tests.faults.stories import CHAT, event, right


def test_a_right_history_has_each_operation_once():
    assert acknowledged_exactly_once(right().evidence()) is None
    assert unacknowledged_at_most_once(right().evidence()) is None


def test_an_acknowledged_message_that_is_gone_is_noticed():
    world = right()
    del world.events[1:]
    assert "nothing of it is in the final history" in acknowledged_exactly_once(world.evidence())


def test_an_event_without_its_message_is_noticed():
    world = right()
    world.messages.clear()
    assert "its message m2 does not exist" in acknowledged_exactly_once(world.evidence())


def test_another_seq_than_answered_is_noticed():
    world = right()
    world.events[1].seq = 9
    assert "at seq 9, not 2 as answered" in acknowledged_exactly_once(world.evidence())


def test_a_message_that_does_not_read_as_its_newest_edit_is_noticed():
    world = right()
    world.messages[0].content = "hello"
    assert "reads 'hello' in the end" in acknowledged_exactly_once(world.evidence())


def test_a_watermark_below_what_was_read_is_noticed():
    world = right()
    world.watermarks[CHAT, "ben"] = 1
    assert "the watermark is 1" in acknowledged_exactly_once(world.evidence())


def test_what_a_restore_took_back_is_exempt():
    world = right()
    del world.events[1:]
    world.messages.clear()
    assert acknowledged_exactly_once(world.evidence(lost=(1.5, 5.0))) is None
    assert acknowledged_exactly_once(world.evidence(lost=(5.0, 6.0))) is not None


def test_a_delete_that_found_nothing_to_delete_leaves_no_event():
    world = right()
    world.anna.does(5, 4, "delete", status=204, seq=None, message="m2")
    assert acknowledged_exactly_once(world.evidence()) is None


def test_an_unanswered_operation_may_have_happened_once_or_not():
    world = right()
    world.ben.does(5, 4, "send", status=None, text="lost?")
    assert unacknowledged_at_most_once(world.evidence()) is None
    world.events.append(event(4, actor="ben", key="key 4", message="m4"))
    world.messages.append(Message("m4", CHAT, 4, "ben", "lost?", 5.0))
    assert unacknowledged_at_most_once(world.evidence()) is None
    world.messages.append(Message("m5", CHAT, 5, "ben", "lost?", 5.0))
    assert "is in 2 messages" in unacknowledged_at_most_once(world.evidence())


def test_an_operation_that_happened_twice_under_its_key_is_noticed():
    world = right()
    world.events.append(replace(world.events[1], seq=4))
    assert "happened 2 times" in unacknowledged_at_most_once(world.evidence())
    assert "2 times: seqs [2, 4]" in acknowledged_exactly_once(world.evidence())


def test_a_refused_operation_that_happened_is_noticed():
    world = right()
    world.ben.does(5, 4, "edit", status=403, message="m2", text="mine")
    world.events.append(event(4, "messageUpdated", actor="ben", key="key 4"))
    assert "was refused with 403, and yet" in unacknowledged_at_most_once(world.evidence())


def test_a_refusal_after_an_unanswered_attempt_proves_nothing():
    world = right()
    world.ben.does(5, 4, "rename", status=None, text="new name")
    world.ben.does(7, 4, "rename", status=404, text="new name")
    world.events.append(event(4, "chatUpdated", actor="ben", key="key 4"))
    assert unacknowledged_at_most_once(world.evidence()) is None


def test_a_retry_that_is_answered_with_another_message_is_noticed():
    world = right()
    world.anna.does(5, 4, "send", seq=4, text="again", body={"id": "m4"})
    world.anna.does(6, 4, "send", seq=5, text="again", body={"id": "m5"})
    assert "answered with different" in unacknowledged_at_most_once(world.evidence())


def test_an_event_that_nobody_asked_for_is_noticed():
    world = right()
    world.events.append(event(4, actor="ben", key="unheard of"))
    assert "which nobody sent" in unacknowledged_at_most_once(world.evidence())


def test_an_add_that_changed_nothing_may_take_effect_later_only_where_an_attempt_was_under_way():
    for unanswered, noticed in ((False, True), (True, False)):
        world = right()
        if unanswered:
            world.anna.does(5, 4, "add", status=None, users=("ben",))
        world.anna.does(6, 4, "add", status=200, seq=None, users=("ben",))
        world.events.append(event(4, "chatUpdated", key="key 4"))
        assert bool(acknowledged_exactly_once(world.evidence())) is noticed
