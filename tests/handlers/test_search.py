"""Search over HTTP."""

import pytest

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def chat(alice, bob):
    return alice.chat(bob)


def test_what_was_said_is_found_with_its_highlights(alice, bob, carol, chat):
    message = alice.say(chat, "Grüße \U0001f44b aus Zürich")
    answer = bob.get("/api/search?q=z%C3%BCr")
    assert answer.json == {"items": [{"message": message, "chatId": chat, "highlights": [[13, 19]]}], "next": None}
    assert carol.get("/api/search?q=z%C3%BCr").json == {"items": [], "next": None}


def test_pages_follow_each_other(alice, bob, chat):
    said = [alice.say(chat, f"Paging {number}")["id"] for number in range(3)]
    first = bob.get(f"/api/search?q=paging&limit=2&chatId={chat.upper()}").json
    second = bob.get(f"/api/search?q=paging&limit=2&before={first['next'].upper()}").json
    assert [hit["message"]["id"] for hit in first["items"] + second["items"]] == said[::-1]
    assert (first["next"], second["next"]) == (said[1], None)


@pytest.mark.parametrize("query, field", [
    ("", "q"), ("q=", "q"), ("q=%20", "q"), ("q=%00", "q"), ("q=" + "x" * 201, "q"), ("q=-tea", "q"), ("q=a&q=b", "q"),
    ("q=a&limit=0", "limit"), ("q=a&limit=51", "limit"), ("q=a&chatId=x", "chatId"), ("q=a&before=x", "before"), ("q=a&after=x", "after"),
], ids=range(12))
def test_a_search_that_is_asked_for_wrongly_is_refused_by_parameter(alice, query, field):
    answer = alice.get(f"/api/search?{query}")
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def test_foreign_and_missing_chats_and_messages_are_not_found(alice, bob, carol, chat):
    message = alice.say(chat)["id"]
    for query, field in ((f"chatId={chat}", "chatId"), (f"chatId={NOBODY}", "chatId"), (f"before={message}", "before"), (f"before={NOBODY}", "before")):
        answer = carol.get(f"/api/search?q=tea&{query}")
        assert (*answer.refusal, answer.field) == (404, "not_found", field)


def test_searches_take_turns_and_sending_does_not_wait_for_them(serve):
    served = serve(SEARCHES_AT_ONCE="1")
    ada, bob = served.user(), served.user()
    chat = ada.chat(bob)

    async def hold():
        await served.services.searches.acquire()

    served.run(hold())
    assert ada.say(chat)["seq"] == 2
    served._loop.call_soon_threadsafe(served.services.searches.release)
    assert ada.get("/api/search?q=tea").status == 200
