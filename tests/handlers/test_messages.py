"""Messages over HTTP: paging, sending, editing, deleting."""

import pytest

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def chat(alice, bob):
    return alice.chat(bob)


def test_a_message_is_answered_as_it_is_stored(alice, chat):
    answer = alice.post(f"/api/chats/{chat}/messages", {"content": "Grüße \U0001f44b\n  zwei"})
    assert answer.status == 201
    message = answer.json
    assert message["content"] == "Grüße \U0001f44b\n  zwei"
    assert (message["senderId"], message["chatId"]) == (alice.id, chat)
    assert (message["isEdited"], message["editedAt"]) == (False, None)
    assert answer.seq == message["seq"] == 2
    assert alice.get(f"/api/chats/{chat}/messages").json["items"] == [message]


def test_a_message_is_published_with_its_projections_and_counts(served, alice, bob, chat):
    served.node.published.clear()
    message = alice.say(chat)
    assert [event.channel for event in served.node.published] == [
        "messageAdded",
        "chatMessageNotification",
        "messageUpdateForChatList",
        "unreadCountUpdated",
    ]
    assert served.node.published[0].data["id"] == message["id"]
    assert served.node.published[3].data == {"chatId": chat, "userId": bob.id, "unreadCount": 1}


@pytest.mark.parametrize(
    "content", ["", "   ", "\n\t\u00a0\u2003", "x" * 8001, "a\0b", "\0", 7, None, ["x"], {"x": 1}, True]
)
def test_a_message_has_a_text_of_bounded_length(alice, chat, content):
    message = alice.say(chat)
    for answer in (
        alice.post(f"/api/chats/{chat}/messages", {"content": content}),
        alice.patch(f"/api/messages/{message['id']}", {"content": content}),
    ):
        assert (*answer.refusal, answer.field) == (400, "invalid_value", "content")


@pytest.mark.parametrize("content", ["x" * 8000, "\U0001f600" * 8000, "\\" * 8000, "\r\n\t<script>&amp;", "\x01\x7f"])
def test_every_other_text_comes_back_as_it_was(alice, chat, content):
    assert alice.say(chat, content)["content"] == content


def test_pages_lead_through_the_whole_history_in_order(alice, chat):
    said = [alice.say(chat, str(number))["id"] for number in range(5)]
    path = f"/api/chats/{chat}/messages"

    def page(query):
        body = alice.get(f"{path}?limit=2{query}").json
        return [message["id"] for message in body["items"]], body["next"]

    assert page("") == (said[3:5], said[3])
    assert page(f"&before={said[3].upper()}") == (said[1:3], said[1])
    assert page(f"&before={said[1]}") == (said[:1], None)
    assert page(f"&after={said[0]}") == (said[1:3], said[2])
    assert page(f"&after={said[2]}") == (said[3:], None)
    assert page(f"&around={said[2]}") == (said[2:4], None)


@pytest.mark.parametrize(
    "query, field",
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1.0", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("before=nonsense", "before"),
        ("after=", "after"),
        ("around=%00", "around"),
        ("offset=1", "offset"),
        ("x", "x"),
        (f"before={NOBODY}&after={NOBODY}", "after"),
        ("%ED%A0%80=1", None),
        ("limit=%FF", None),
    ],
)
def test_a_page_that_is_asked_for_wrongly_is_refused_by_parameter(alice, chat, query, field):
    answer = alice.get(f"/api/chats/{chat}/messages?{query}")
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def test_a_page_around_a_message_of_another_chat_is_not_found(alice, bob, carol, chat):
    foreign = bob.say(bob.chat(carol))["id"]
    for anchor in (foreign, NOBODY):
        answer = alice.get(f"/api/chats/{chat}/messages?around={anchor}")
        assert (*answer.refusal, answer.field) == (404, "not_found", "around")


def test_its_sender_edits_a_message_and_nobody_else(served, alice, bob, chat):
    message = bob.say(chat, "Before")
    assert alice.patch(f"/api/messages/{message['id']}", {"content": "Mine"}).refusal == (403, "not_the_sender")
    served.node.published.clear()
    answer = bob.patch(f"/api/messages/{message['id'].upper()}", {"content": "After"})
    assert (answer.status, answer.seq) == (200, message["seq"] + 1)
    edited = answer.json
    assert (edited["content"], edited["isEdited"], edited["seq"]) == ("After", True, message["seq"])
    assert [event.channel for event in served.node.published] == ["messageUpdated"]
    assert alice.get(f"/api/chats/{chat}/messages").json["items"] == [edited]


def test_a_deleted_message_leaves_a_tombstone_without_text(served, alice, bob, chat):
    message = bob.say(chat, "Secret")
    served.node.published.clear()
    answer = bob.delete(f"/api/messages/{message['id']}")
    assert (answer.status, answer.body, answer.seq) == (204, b"", message["seq"] + 1)
    assert [event.channel for event in served.node.published] == ["messageDeleted", "unreadCountUpdated"]
    (tombstone,) = alice.get(f"/api/chats/{chat}/messages").json["items"]
    assert (tombstone["id"], tombstone["content"], tombstone["isEdited"]) == (message["id"], "", False)
    assert bob.patch(f"/api/messages/{message['id']}", {"content": "Back"}).refusal == (409, "message_is_deleted")
    again = bob.delete(f"/api/messages/{message['id']}")
    assert (again.status, again.seq) == (204, None)


def test_a_groups_owner_deletes_what_others_said_and_nobody_else_does(alice, bob, chat):
    assert alice.delete(f"/api/messages/{bob.say(chat)['id']}").status == 204
    assert bob.delete(f"/api/messages/{alice.say(chat)['id']}").refusal == (403, "not_the_sender")


def test_foreign_messages_are_as_missing_as_missing_ones(alice, bob, carol, chat):
    message = alice.say(chat)["id"]
    for one in (message, NOBODY, "nonsense"):
        for method, path, body in (
            ("PATCH", f"/api/messages/{one}", {"content": "Mine"}),
            ("DELETE", f"/api/messages/{one}", None),
            ("PUT", f"/api/messages/{one}/read", None),
            ("GET", f"/api/messages/{one}/reads", None),
        ):
            answer = carol.request(method, path, body)
            assert (answer.refusal, answer.field) == ((404, "not_found"), None)
    for one in (chat, NOBODY):
        assert carol.get(f"/api/chats/{one}/messages").refusal == (404, "not_found")
        assert carol.post(f"/api/chats/{one}/messages", {"content": "Hello"}).refusal == (404, "not_found")


def test_the_removed_can_no_longer_write_or_read(alice, bob, chat):
    message = bob.say(chat)["id"]
    alice.delete(f"/api/chats/{chat}/participants/{bob.id}")
    assert bob.post(f"/api/chats/{chat}/messages", {"content": "Still here"}).refusal == (404, "not_found")
    assert bob.patch(f"/api/messages/{message}", {"content": "Still here"}).refusal == (404, "not_found")
    assert bob.get(f"/api/chats/{chat}/messages").refusal == (404, "not_found")
