"""Search over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.handlers.served import until

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def chat(alice, bob):
    return alice.chat(bob)


def test_what_was_said_is_found_with_its_highlights(alice, bob, carol, chat):
    message = alice.say(chat, "Grüße \U0001f44b aus Zürich")
    until(lambda: bob.get("/api/search?q=z%C3%BCr").json["items"])
    answer = bob.get("/api/search?q=z%C3%BCr")
    assert answer.json == {"items": [{"message": message, "chatId": chat, "highlights": [[13, 19]]}], "next": None}
    assert carol.get("/api/search?q=z%C3%BCr").json == {"items": [], "next": None}


def test_pages_follow_each_other(alice, bob, chat):
    said = [alice.say(chat, f"Paging {number}")["id"] for number in range(3)]
    until(lambda: len(bob.get(f"/api/search?q=paging&chatId={chat}").json["items"]) == 3)
    first = bob.get(f"/api/search?q=paging&limit=2&chatId={chat.upper()}").json
    second = bob.get(f"/api/search?q=paging&limit=2&before={first['next'].upper()}").json
    assert [hit["message"]["id"] for hit in first["items"] + second["items"]] == said[::-1]
    assert (first["next"], second["next"]) == (said[1], None)


@pytest.mark.parametrize(
    "query, field",
    [
        ("", "q"),
        ("q=", "q"),
        ("q=%20", "q"),
        ("q=%00", "q"),
        ("q=" + "x" * 201, "q"),
        ("q=-tea", "q"),
        ("q=a&q=b", "q"),
        ("q=a&limit=0", "limit"),
        ("q=a&limit=51", "limit"),
        ("q=a&chatId=x", "chatId"),
        ("q=a&before=x", "before"),
        ("q=a&after=x", "after"),
    ],
    ids=range(12),
)
def test_a_search_that_is_asked_for_wrongly_is_refused_by_parameter(alice, query, field):
    answer = alice.get(f"/api/search?{query}")
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def test_foreign_and_missing_chats_and_messages_are_not_found(alice, bob, carol, chat):
    message = alice.say(chat)["id"]
    for query, field in (
        (f"chatId={chat}", "chatId"),
        (f"chatId={NOBODY}", "chatId"),
        (f"before={message}", "before"),
        (f"before={NOBODY}", "before"),
    ):
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


def test_one_users_many_searches_do_not_keep_the_others_waiting(serve):
    served = serve(SEARCHES_AT_ONCE="1")
    ada, bob = served.user(), served.user()

    async def hold():
        await served.services.searches.acquire()

    served.run(hold())
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(ada.get, "/api/search?q=tea") for _ in range(5)]
        until(lambda: served.services.searchers[ada.id] == 5)
        assert ada.get("/api/search?q=tea").refusal == (429, "too_fast")
        waiting.append(pool.submit(bob.get, "/api/search?q=tea"))
        served._loop.call_soon_threadsafe(served.services.searches.release)
        assert [one.result(20).status for one in waiting] == [200] * 6
    assert not served.services.searchers
