"""Unread counts."""

import uuid


def test_unread_counts_are_listed_and_summed(served, alice):
    reader = served.user()
    chats = [alice.chat(reader) for _ in range(3)]
    for chat, number in zip(chats, (2, 0, 1), strict=True):
        for _ in range(number):
            alice.say(chat)
    body = reader.get("/api/unread").json
    assert {count["chatId"]: count["unreadCount"] for count in body["items"]} == {chats[0]: 2, chats[2]: 1}
    assert (body["total"], body["next"]) == (3, None)
    assert reader.get(f"/api/unread/{chats[0].upper()}").json == {
        "chatId": chats[0],
        "userId": reader.id,
        "unreadCount": 2,
    }
    assert reader.get(f"/api/unread/{chats[1]}").json["unreadCount"] == 0


def test_the_count_of_a_foreign_chat_is_not_found(alice, bob, carol):
    for one in (alice.chat(bob), uuid.uuid4(), "nonsense"):
        assert carol.get(f"/api/unread/{one}").refusal == (404, "not_found")
