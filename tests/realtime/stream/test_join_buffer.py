"""What is noted while sockets are opened, for as long as any of them is."""

import pytest

from chat.events import Event
from realtime.stream.join_buffer import JoinBuffer

CHAT = "6f1c0e0a-6a54-4a40-8a3f-0d6f5b0c7c11"


def joining(*user_ids):
    return Event("chatUpdated", CHAT, 1, {"participantIds": list(user_ids)})


@pytest.fixture
def opening():
    return JoinBuffer(hub=None, event_stream=None)


def test_who_is_let_in_is_noted_while_a_socket_is_opened_and_forgotten_then(opening):
    opening.note(joining("early"))
    with opening.noting():
        opening.note(joining("ann", "ben"))
        opening.note(Event("messageAdded", CHAT, 2, {"senderId": "cy"}))
        assert [opening.joined(user) for user in ("early", "ann", "ben", "cy")] == [False, True, True, False]
    with opening.noting():
        assert not opening.joined("ann")


def test_it_is_noted_until_the_last_of_them_is_open(opening):
    first, second = opening.noting(), opening.noting()
    first.__enter__()
    opening.note(joining("ann"))
    second.__enter__()
    first.__exit__(None, None, None)
    assert opening.under_way == 1 and opening.joined("ann")
    second.__exit__(None, None, None)
    assert opening.under_way == 0 and not opening.joined("ann")


def test_one_that_fails_is_no_longer_opened(opening):
    with pytest.raises(KeyError), opening.noting():
        raise KeyError
    assert opening.under_way == 0


def test_the_time_of_the_question_is_that_of_the_first_opening_under_way_and_now_where_there_is_none(
    opening, monkeypatch
):
    clock = [10.0]
    monkeypatch.setattr("realtime.stream.join_buffer.time.monotonic", lambda: clock[0])
    assert opening.asked_at == 10.0
    with opening.noting():
        clock[0] = 12.0
        assert opening.asked_at == 10.0
        with opening.noting():
            assert opening.asked_at == 10.0, "the first one may have missed something since"
    assert opening.asked_at == 12.0
