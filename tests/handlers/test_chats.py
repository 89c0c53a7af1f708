"""Chats over HTTP: list, create, read, rename, describe, delete."""

import pytest

NOBODY = "00000000-0000-4000-8000-000000000000"


def create(client, **body):
    return client.post("/api/chats", body)


def test_a_group_is_created_with_its_owner_and_the_others(served, alice, bob, carol):
    served.node.published.clear()
    answer = create(
        alice,
        chatType="group",
        name="  Friday ",
        description=" lunch ",
        participantIds=[bob.id.upper(), carol.id, bob.id],
    )
    assert (answer.status, answer.seq) == (201, 1)
    chat = answer.json
    assert (chat["name"], chat["description"]) == ("Friday", "lunch")
    assert (chat["chatType"], chat["ownerId"]) == ("group", alice.id)
    assert chat["participantIds"] == sorted([alice.id, bob.id, carol.id])
    assert [event.channel for event in served.node.published] == ["chatAdded"]


def test_a_group_may_have_no_name_and_nobody_else_in_it(alice):
    answer = create(alice, chatType="group", participantIds=[], name=None, description="  ")
    assert answer.status == 201
    assert (answer.json["name"], answer.json["description"]) == (None, None)


def test_a_direct_chat_is_created_once_and_found_from_then_on(served, alice):
    other = served.user()
    first = create(alice, chatType="direct", participantIds=[other.id])
    assert (first.status, first.json["ownerId"], first.json["name"]) == (201, None, None)
    for again in (
        create(alice, chatType="direct", participantIds=[other.id]),
        create(other, chatType="direct", participantIds=[alice.id, alice.id.upper()]),
    ):
        assert (again.status, again.json["id"], again.seq) == (200, first.json["id"], None)


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "chatType"),
        ({"chatType": "group"}, "participantIds"),
        ({"chatType": "club", "participantIds": []}, "chatType"),
        ({"chatType": "group", "participantIds": "all"}, "participantIds"),
        ({"chatType": "group", "participantIds": ["nobody"]}, "participantIds"),
        ({"chatType": "group", "participantIds": [None]}, "participantIds"),
        ({"chatType": "group", "participantIds": [], "name": ""}, "name"),
        ({"chatType": "group", "participantIds": [], "name": " \u2003 "}, "name"),
        ({"chatType": "group", "participantIds": [], "name": "x" * 81}, "name"),
        ({"chatType": "group", "participantIds": [], "name": "a\0b"}, "name"),
        ({"chatType": "group", "participantIds": [], "description": "x" * 1001}, "description"),
        ({"chatType": "group", "participantIds": [], "ownerId": NOBODY}, "ownerId"),
        ({"chatType": "direct", "participantIds": []}, "participantIds"),
        ({"chatType": "direct", "participantIds": [NOBODY, NOBODY.replace("4", "5")]}, "participantIds"),
        ({"chatType": "direct", "participantIds": [NOBODY], "name": "Us"}, "name"),
        ({"chatType": "direct", "participantIds": [NOBODY], "description": "Us"}, "description"),
    ],
)
def test_a_chat_that_breaks_the_rules_is_refused_by_field(alice, body, field):
    answer = create(alice, **body)
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def test_nobody_chats_with_nobody_or_with_oneself_alone(alice):
    answer = create(alice, chatType="group", participantIds=[NOBODY])
    assert (*answer.refusal, answer.field) == (404, "not_found", "participantIds")
    assert create(alice, chatType="direct", participantIds=[NOBODY]).refusal == (404, "not_found")
    assert create(alice, chatType="direct", participantIds=[alice.id]).refusal == (400, "invalid_value")


def test_chats_have_a_largest_size(serve):
    small = serve(MAX_PARTICIPANTS="2")
    owner, one, two = (small.user() for _ in range(3))
    assert create(owner, chatType="group", participantIds=[one.id, two.id]).refusal == (409, "too_many_participants")
    added = owner.post(f"/api/chats/{owner.chat(one)}/participants", {"userIds": [two.id]})
    assert added.refusal == (409, "too_many_participants")


def test_ones_chats_are_listed_in_pages_most_recently_active_first(served):
    reader, other = served.user(), served.user()
    chats = [reader.chat(other, name=f"Chat {number}") for number in range(3)]
    message = other.say(chats[0], "Newest")
    first = reader.get("/api/chats?limit=2").json
    assert [view["id"] for view in first["items"]] == [chats[0], chats[2]]
    view = first["items"][0]
    assert (view["unreadCount"], view["lastMessage"], view["head"]) == (1, message, 2)
    second = reader.get(f"/api/chats?limit=2&after={first['next']}").json
    assert ([view["id"] for view in second["items"]], second["next"]) == ([chats[1]], None)


def test_one_chat_tells_how_far_each_has_read(alice, bob):
    chat = alice.chat(bob)
    message = alice.say(chat)
    view = bob.get(f"/api/chats/{chat.upper()}").json
    marks = {mark["userId"]: mark for mark in view["watermarks"]}
    assert (marks[alice.id]["messageId"], marks[alice.id]["readAt"]) == (message["id"], message["createdAt"])
    assert (marks[bob.id]["messageId"], marks[bob.id]["readAt"]) == (None, None)


def test_any_participant_renames_and_describes_a_group(served, alice, bob):
    chat = alice.chat(bob, name="Old", description="Kept")
    served.node.published.clear()
    answer = bob.patch(f"/api/chats/{chat}", {"name": " New "})
    assert (answer.status, answer.seq) == (200, 2)
    assert (answer.json["name"], answer.json["description"]) == ("New", "Kept")
    assert [event.channel for event in served.node.published] == ["chatUpdated"]
    removed = bob.patch(f"/api/chats/{chat}", {"name": None, "description": ""}).json
    assert (removed["name"], removed["description"]) == (None, None)


def test_a_change_must_change_something_known(alice, bob):
    chat = alice.chat(bob)
    assert alice.patch(f"/api/chats/{chat}", {}).refusal == (400, "invalid_value")
    assert alice.patch(f"/api/chats/{chat}", {"ownerId": bob.id}).field == "ownerId"


def test_a_direct_chat_cannot_be_renamed(alice, bob):
    assert alice.patch(f"/api/chats/{alice.direct(bob)}", {"name": "Us"}).refusal == (409, "direct_chat_is_fixed")


def test_only_the_owner_deletes_a_group(served, alice, bob):
    chat = alice.chat(bob)
    assert bob.delete(f"/api/chats/{chat}").refusal == (403, "not_the_owner")
    served.node.published.clear()
    answer = alice.delete(f"/api/chats/{chat}")
    assert (answer.status, answer.body, answer.seq) == (204, b"", 2)
    assert served.node.published[0].data["participantIds"] == []
    for client in (alice, bob):
        assert client.get(f"/api/chats/{chat}").refusal == (404, "not_found")


def test_either_of_two_deletes_a_direct_chat(served, alice):
    other = served.user()
    chat = alice.direct(other)
    assert other.delete(f"/api/chats/{chat}").status == 204
    assert alice.direct(other) != chat


def test_a_foreign_chat_is_as_missing_as_a_missing_one(alice, bob, carol):
    chat = alice.chat(bob)
    for method, body in (("GET", None), ("PATCH", {"name": "Mine"}), ("DELETE", None)):
        answers = [carol.request(method, f"/api/chats/{one}", body) for one in (chat, NOBODY, "nonsense")]
        assert [answer.refusal for answer in answers] == [(404, "not_found")] * 3
        assert len({answer.body for answer in answers}) == 1
