"""Marking read, and who read what."""


def test_reading_a_message_is_answered_and_published(served, alice, bob):
    chat = alice.chat(bob)
    message = alice.say(chat)["id"]
    served.node.published.clear()
    answer = bob.put(f"/api/messages/{message.upper()}/read")
    assert answer.status == 200
    assert (answer.json["messageId"], answer.json["userId"]) == (message, bob.id)
    assert [(event.channel, event.data) for event in served.node.published] == [
        ("messageReadUpdated", answer.json),
        ("unreadCountUpdated", {"chatId": chat, "userId": bob.id, "unreadCount": 0}),
    ]


def test_reading_again_or_something_older_changes_nothing_and_answers_when_it_was(served, alice, bob):
    chat = alice.chat(bob)
    older, newer = alice.say(chat)["id"], alice.say(chat)["id"]
    read = bob.put(f"/api/messages/{newer}/read").json
    served.node.published.clear()
    assert bob.put(f"/api/messages/{newer}/read").json == read
    assert bob.put(f"/api/messages/{older}/read").json == {**read, "messageId": older}
    assert served.node.published == []


def test_who_read_a_message_is_listed_in_pages_without_its_sender(served, alice, bob):
    others = [served.user() for _ in range(3)]
    chat = alice.chat(bob, *others)
    message = alice.say(chat)["id"]
    assert alice.get(f"/api/messages/{message}/reads").json == {"items": [], "next": None}
    for reader in others:
        reader.put(f"/api/messages/{message}/read")
    first = alice.get(f"/api/messages/{message}/reads?limit=2").json
    second = alice.get(f"/api/messages/{message}/reads?limit=2&after={first['next']}").json
    listed = [read["userId"] for read in first["items"] + second["items"]]
    assert (listed, second["next"]) == (sorted(one.id for one in others), None)
