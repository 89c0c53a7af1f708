"""The stream's frames over HTTP."""

import pytest

from version import VERSION


def frames(client, **body):
    answer = client.post("/api/sync", body)
    assert answer.status == 200, answer
    return answer.json["items"]


def test_the_first_time_one_is_welcomed_and_synced(served):
    alice, bob = served.user(), served.user()
    chat = alice.chat(bob)
    alice.say(chat)
    welcome, *states, synced = frames(bob, cursors={})
    assert (welcome["type"], welcome["userId"], welcome["heads"]) == ("welcome", bob.id, {chat: 2})
    assert (synced["type"], synced["heads"]) == ("synced", {chat: 2})
    assert [state["data"]["unreadCount"] for state in states] == [1]


def test_what_was_missed_since_a_cursor_comes_in_order(served):
    alice, bob = served.user(), served.user()
    chat = alice.chat(bob)
    epoch = frames(bob)[0]["epoch"]
    said = [alice.say(chat, str(number))["id"] for number in range(3)]
    missed = frames(bob, epoch=epoch.upper(), cursors={chat.upper(): 1})
    events = [(frame["seq"], frame["data"]["id"]) for frame in missed if frame["type"] == "event"]
    assert events == list(zip((2, 3, 4), said, strict=True))


def test_another_epoch_resets(served, alice, bob):
    chat = alice.chat(bob)
    resets = [
        frame
        for frame in frames(bob, epoch="00000000-0000-4000-8000-000000000000", cursors={chat: 1})
        if frame["type"] == "reset"
    ]
    assert [(frame["chatId"], frame["reason"]) for frame in resets] == [(chat, "epoch")]


def test_what_only_a_later_release_knows_is_passed_over(alice):
    answer = alice.post(
        "/api/sync", {"channels": ["everything", "unreadCountUpdated"], "type": "hello", "later": {"field": 1}}
    )
    assert answer.status == 200
    welcome, *_, synced = answer.json["items"]
    assert (welcome["type"], welcome["version"], synced["type"]) == ("welcome", VERSION, "synced")
    assert "everything" not in welcome["channels"] and "unreadCountUpdated" in welcome["channels"]


@pytest.mark.parametrize(
    "body, field",
    [
        ({"epoch": 7}, "epoch"),
        ({"epoch": "yesterday"}, "epoch"),
        ({"cursors": []}, "cursors"),
        ({"cursors": {"nonsense": 1}}, "cursors"),
        ({"cursors": {"00000000-0000-4000-8000-000000000000": -1}}, "cursors"),
        ({"cursors": {"00000000-0000-4000-8000-000000000000": "1"}}, "cursors"),
        ({"cursors": {"00000000-0000-4000-8000-000000000000": 1.5}}, "cursors"),
        ({"cursors": {"00000000-0000-4000-8000-000000000000": 1e300}}, "cursors"),
        ({"cursors": {"00000000-0000-4000-8000-000000000000": 10**30}}, "cursors"),
        ({"cursors": {"00000000-0000-4000-8000-000000000000": True}}, "cursors"),
        ({"channels": "messageAdded"}, "channels"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2016-12-31T23:59:60Z"}, "since"),
        ({"since": "0001-01-01T00:00:00Z"}, "since"),
        ({"since": 0}, "since"),
    ],
)
def test_a_hello_that_breaks_the_contract_is_refused_by_field(alice, body, field):
    answer = alice.post("/api/sync", body)
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)
