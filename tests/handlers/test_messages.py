"""Messages over HTTP: paging, sending, editing, deleting."""

import uuid

import pytest

NOBODY = str(uuid.uuid4())


@pytest.fixture
def chat(alice, bob):
    return alice.chat(bob)


def test_a_message_is_answered_as_it_is_stored(alice, chat):
    answer = alice.post(f"/api/chats/{chat}/messages", {"content": "Grüße \U0001f44b\n  zwei"})
    assert answer.status == 201
    message = answer.json
    assert message["content"] == "Grüße \U0001f44b\n  zwei"
    assert (message["senderId"], message["chatId"], message["isEdited"], message["editedAt"]) == (alice.id, chat, False, None)
    assert answer.seq == message["seq"] == 2
    assert alice.get(f"/api/chats/{chat}/messages").json["items"] == [message]


def test_a_message_is_published_with_its_projections_and_counts(served, alice, bob, chat):
    served.delivery.published.clear()
    message = alice.say(chat)
    assert [event.channel for event in served.delivery.published] == [
        "messageAdded", "chatMessageNotification", "messageUpdateForChatList", "unreadCountUpdated"]
    assert served.delivery.published[0].data["id"] == message["id"]
    assert served.delivery.published[3].data == {"chatId": chat, "userId": bob.id, "unreadCount": 1}
