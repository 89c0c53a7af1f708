"""Invariants 10 and 11: who must not hear."""

import pytest

from faults.evidence import Window
from faults.history import SignedOut
from faults.invariants.audience import only_participants_hear, signed_out_hear_nothing
from tests.faults.stories import CHAT, event, right


@pytest.mark.parametrize("invariant", [only_participants_hear, signed_out_hear_nothing])
def test_in_a_right_history_only_those_hear_who_may(invariant):
    assert invariant(right().evidence()) is None


def test_a_stranger_who_hears_is_noticed():
    world = right()
    world.carl.opens(1)
    world.carl.hears(2, 2)
    assert "carl got seq 2 of chat chat (messageAdded) at 2.00 s, but never was in it" in only_participants_hear(
        world.evidence()
    )


def removed_ben(world):
    """Ben is removed at seq 4; he gets that event and nothing after it."""
    world.anna.does(5, 4, "remove", status=204, seq=4, users=("ben",))
    world.events += [event(4, "chatUpdated", key="key 4", user="ben"), event(5, message="m5")]
    world.ben.hears(5.1, 4, "chatUpdated", identity=CHAT)
    del world.watermarks[CHAT, "ben"]
    return world


def test_the_removed_gets_the_event_that_removes_him():
    assert only_participants_hear(removed_ben(right()).evidence()) is None


def test_what_was_committed_after_the_removal_is_noticed():
    world = removed_ben(right())
    world.ben.hears(5.2, 5, identity="m5")
    assert (
        "ben got seq 5 of chat chat (messageAdded) at 5.20 s, but was in it only for seqs [(0, 4)]"
        in only_participants_hear(world.evidence())
    )


def test_who_comes_back_may_read_what_he_missed():
    world = removed_ben(right())
    world.anna.does(6, 5, "add", status=200, seq=6, users=("ben",))
    world.events.append(event(6, "chatUpdated", key="key 5"))
    world.ben.hears(7, 5, identity="m5")
    assert only_participants_hear(world.evidence()) is None


def test_a_state_of_a_strange_chat_is_noticed():
    world = right()
    world.carl.opens(1, heads={})
    world.carl.hears(2, 2, "messageReadUpdated", userId="anna")
    assert "carl was told a messageReadUpdated" in only_participants_hear(world.evidence())


def test_somebody_elses_unread_count_is_noticed():
    world = right()
    world.ben.hears(4, 3, "unreadCountUpdated", userId="anna", unreadCount=1)
    assert "ben was told the unread count of anna" in only_participants_hear(world.evidence())


def test_a_page_shown_to_a_stranger_is_noticed_and_a_refusal_is_not():
    world = right()
    world.carl.does(4, 4, "pry", status=404)
    assert only_participants_hear(world.evidence()) is None
    world.carl.does(5, 5, "pry", status=200, body={"items": []})
    assert "was shown chat chat, but never was in it" in only_participants_hear(world.evidence())


def deleted(world):
    world.anna.does(5, 4, "delete", ended=5.5, status=204, seq=4, message="m2")
    world.events.append(event(4, "messageDeleted", key="key 4"))
    world.messages[0].content = ""
    return world


def test_deleted_text_in_a_later_answer_is_noticed():
    world = deleted(right())
    world.ben.does(5.2, 5, "look", status=200, body={"items": [{"id": "m2", "content": "hello!"}]})
    assert only_participants_hear(world.evidence()) is None, "sent before the deletion was answered"
    world.ben.does(6, 6, "look", status=200, body={"items": [{"id": "m2", "content": "hello!"}]})
    assert "was shown the text of message m2, deleted before" in only_participants_hear(world.evidence())


def test_deleted_text_in_a_later_replay_is_noticed():
    world = deleted(right())
    world.ben.opens(7, socket=2, cursors={CHAT: 1}, heads={CHAT: 4})
    world.ben.hears(7.1, 2, socket=2, content="hello")
    assert "was replayed the text of message m2 on socket 2" in only_participants_hear(world.evidence())


def test_deleted_text_in_the_database_is_noticed():
    world = deleted(right())
    world.messages[0].content = "hello!"
    assert "still in the database" in only_participants_hear(world.evidence())


def signed_out(closes=5.5, windows=()):
    world = right()
    world.ben.history.add(SignedOut(5, "ben's"))
    if closes:
        world.ben.closes(closes, code=4401)
    world.more["windows"] = list(windows)
    return world


def test_a_socket_that_closes_in_time_is_right():
    assert signed_out_hear_nothing(signed_out().evidence()) is None


def test_a_socket_that_stays_open_is_noticed():
    assert "still open at 7.00 s" in signed_out_hear_nothing(signed_out(closes=None).evidence())
    assert "still open at 7.00 s" in signed_out_hear_nothing(signed_out(closes=8).evidence())


def test_a_frame_after_the_sign_out_is_noticed():
    world = signed_out(closes=None)
    world.ben.hears(7.5, 4)
    assert "ben got a event at 7.50 s on socket 1" in signed_out_hear_nothing(world.evidence())


def test_with_redis_down_there_are_five_seconds():
    redis = Window("redis", "", 4, 12)
    assert signed_out_hear_nothing(signed_out(closes=9.5, windows=[redis]).evidence()) is None
    assert "still open at 10.00 s" in signed_out_hear_nothing(signed_out(closes=11, windows=[redis]).evidence())


def test_a_frozen_instance_has_until_it_is_thawed():
    frozen = Window("instance", "web.1", 4, 20)
    assert signed_out_hear_nothing(signed_out(closes=22, windows=[frozen]).evidence()) is None
