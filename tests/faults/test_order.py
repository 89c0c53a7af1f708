"""Invariants 3 to 6: one order, without gaps and doubles."""

import pytest

from faults.evidence import Message
from faults.invariants.order import all_agree, nothing_twice, real_time_order, seq_is_contiguous
from tests.faults.stories import CHAT, World, event, right


@pytest.mark.parametrize("invariant", [seq_is_contiguous, nothing_twice, all_agree, real_time_order])
def test_a_right_history_is_in_order(invariant):
    assert invariant(right().evidence()) is None


def test_a_gap_is_noticed():
    world = right()
    world.ben.hears(4, 5)
    assert "ben got seq 5 of chat chat after 3: 1 missing" in seq_is_contiguous(world.evidence())


def test_a_gap_across_a_reconnect_is_noticed():
    world = right()
    world.ben.closes(4)
    world.ben.opens(5, socket=2, cursors={CHAT: 3}, heads={CHAT: 5})
    world.ben.hears(6, 5, socket=2)
    assert "after 3: 1 missing" in seq_is_contiguous(world.evidence())


def test_a_reset_excuses_a_gap():
    world = right()
    world.ben.sees(4, {"type": "reset", "chatId": CHAT, "head": 40, "reason": "behind"})
    world.ben.hears(5, 41)
    assert seq_is_contiguous(world.evidence()) is None


def test_an_event_of_a_chat_that_was_never_announced_is_noticed():
    world = right()
    world.carl.opens(1, heads={})
    world.carl.hears(2, 2)
    assert "in which it had no position" in seq_is_contiguous(world.evidence())


def test_after_left_there_is_no_position():
    world = right()
    world.ben.sees(4, {"type": "left", "chatId": CHAT})
    world.ben.hears(5, 4)
    assert "had no position" in seq_is_contiguous(world.evidence())


def test_a_hole_in_the_final_history_is_noticed():
    world = right()
    world.events.append(event(5))
    assert "has no seq 4" in seq_is_contiguous(world.evidence())


def test_a_double_is_noticed_on_one_socket_and_across_two():
    world = right()
    world.ben.hears(4, 3, "messageUpdated")
    assert "ben got seq 3 of chat chat twice" in nothing_twice(world.evidence())
    world = right()
    world.ben.opens(5, socket=2, cursors={CHAT: 3}, heads={CHAT: 3})
    world.ben.hears(6, 2, socket=2)
    assert "twice: on socket 1" in nothing_twice(world.evidence())


def test_another_history_may_use_the_same_numbers_again():
    world = right()
    world.ben.sees(4, {"type": "reset", "chatId": CHAT, "head": 1, "reason": "epoch"})
    world.ben.hears(5, 2)
    assert nothing_twice(world.evidence()) is None


def test_two_clients_that_disagree_are_noticed():
    world = right()
    world.carl.opens(1)
    world.carl.hears(2, 2, identity="another")
    assert "of another to carl" in all_agree(world.evidence())


def test_an_event_that_is_not_in_the_final_history_is_noticed():
    world = right()
    for teller in (world.anna, world.ben):
        teller.hears(4, 4, identity="phantom")
    assert "which is not in the final history" in all_agree(world.evidence())


def test_an_edit_replayed_of_a_deleted_message_comes_as_its_deletion():
    world = right()
    world.carl.opens(5, heads={CHAT: 2})
    world.carl.hears(6, 3, "messageDeleted")
    assert all_agree(world.evidence()) is None


def test_a_text_that_nobody_wrote_is_noticed():
    world = right()
    world.carl.opens(1)
    world.carl.hears(2, 2, content="hullo")
    assert "with a text that nobody wrote" in all_agree(world.evidence())


def test_what_was_answered_before_the_next_was_sent_has_the_smaller_seq():
    world = World()
    world.anna.does(2, 1, "send", ended=2.5, seq=3, text="first", body={"id": "m3"})
    world.ben.does(3, 2, "send", ended=3.5, seq=2, text="second", body={"id": "m2"})
    world.events += [event(2, actor="ben", key="key 2"), event(3, key="key 1")]
    assert "was answered at 2.500 s with seq 3" in real_time_order(world.evidence())


def test_operations_that_overlap_may_be_in_either_order():
    world = World()
    world.anna.does(2, 1, "send", ended=3.2, seq=3, text="first", body={"id": "m3"})
    world.ben.does(3, 2, "send", ended=3.5, seq=2, text="second", body={"id": "m2"})
    world.events += [event(2, actor="ben", key="key 2"), event(3, key="key 1")]
    assert real_time_order(world.evidence()) is None


def test_times_that_run_back_along_seq_are_noticed():
    world = right()
    world.events.append(event(4, at=1.0))
    assert "seq 4 is 2.000 s older than seq 3" in real_time_order(world.evidence())
    world = right()
    world.messages.append(Message("m9", CHAT, 9, "anna", "late", 0.5))
    assert "older than seq" in real_time_order(world.evidence())


def test_the_text_of_a_message_that_a_restore_took_back_before_it_was_acknowledged_is_its_own():
    """The one who sent it heard it on the stream and edited it, which failed; sent anew, it is another message."""
    for text, verdict in (("sent", type(None)), ("never sent", str)):
        world = right()
        world.anna.hears(4, 4, identity="m4", content=text)
        world.anna.does(4, 4, "send", text="sent", status=None, ended=5)
        world.anna.does(4.5, 5, "edit", message="m4", text="edited", status=None, ended=5.5)
        evidence = world.evidence(lost=(3.5, 5.0))
        evidence.final.epoch = "another"  # what was heard before the restore is not in the final history
        assert isinstance(all_agree(evidence), verdict)


OLDER, NEWER = ["messageAdded"], ["messageAdded", "rigFlagged"]


def with_a_later_kind():
    """Anna, on a newer instance, and Ben, on an older one, hear seq 4, of a kind that only the newer one knows, and then a message at 5."""
    world = right()
    world.events += [event(4, "rigFlagged", actor="nobody"), event(5, message="m5", actor="nobody", key="of nobody")]
    for client, channels in ((world.anna, NEWER), (world.ben, OLDER)):
        client.closes(3.5)
        client.opens(3.6, socket=2, cursors={CHAT: 3}, heads={CHAT: 3}, channels=channels)
    world.anna.hears(4, 4, "rigFlagged", identity=CHAT, socket=2)
    world.ben.hears_only(4, 4, "rigFlagged", socket=2)
    for client in (world.anna, world.ben):
        client.hears(5, 5, identity="m5", socket=2)
    return world


@pytest.mark.parametrize("invariant", [seq_is_contiguous, nothing_twice, all_agree])
def test_a_kind_of_a_later_release_takes_its_seq_like_any_other(invariant):
    assert invariant(with_a_later_kind().evidence()) is None


def test_a_seq_that_was_skipped_without_a_word_is_a_gap():
    world = right()
    world.events += [event(4, "rigFlagged", actor="nobody")]
    world.ben.hears(5, 5)
    assert "ben got seq 5 of chat chat after 3: 1 missing" in seq_is_contiguous(world.evidence())


def test_a_kind_of_a_later_release_that_comes_twice_is_noticed():
    world = with_a_later_kind()
    world.ben.hears_only(6, 4, "rigFlagged", socket=2)
    assert "ben got seq 4 of chat chat twice" in nothing_twice(world.evidence())


def test_a_known_event_that_is_told_as_an_unknown_one_is_noticed():
    world = right()
    world.events.append(event(4, message="m4", actor="nobody"))
    world.ben.hears(4, 4, "rigFlagged", identity=CHAT)
    assert "as rigFlagged; in the final history it is messageAdded" in all_agree(world.evidence())


def test_an_object_kept_back_by_an_instance_that_knows_the_kind_is_noticed():
    world = with_a_later_kind()
    world.carl.opens(6, cursors={CHAT: 3}, channels=NEWER)
    world.carl.hears_only(7, 4, "rigFlagged")
    assert "carl got seq 4 of chat chat as rigFlagged from an instance that knows the kind, without" in all_agree(
        world.evidence()
    )


def test_an_object_told_by_an_instance_that_does_not_know_the_kind_is_noticed():
    world = with_a_later_kind()
    world.carl.opens(6, cursors={CHAT: 3}, channels=OLDER)
    world.carl.hears(7, 4, "rigFlagged", identity=CHAT)
    assert "from an instance that does not know the kind, with an object" in all_agree(world.evidence())


def test_an_event_that_every_release_knows_has_its_object():
    world = right()
    world.carl.opens(6)
    world.carl.hears_only(7, 2, "messageAdded")
    assert "carl got seq 2 of chat chat as messageAdded without its object" in all_agree(world.evidence())
