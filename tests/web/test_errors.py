"""The one error shape, also where no operation of ours is reached; and what a failure of PostgreSQL looks like."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import pytest

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/chats/",
        "/api//chats",
        "/API/chats",
        "/nothing",
        "/ws/x",
        "/static",
        "/.env",
        "/api/chats/x/y/z",
        "/%00",
        "/%ff",
        "/api/chats/%2e%2e/messages/x",
        "/api/%63hats/x/y",
        "/healthz/",
        "//",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_route_is_not_found(served, method, path):
    answer = served.client().request(method, path)
    assert answer.refusal == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/json"


def test_the_stream_takes_websockets_only(served, alice):
    for client in (served.client(), alice):
        answer = client.get("/ws")
        assert answer.refusal == (400, "invalid_value")
        assert answer.json["error"]["field"] == "Upgrade"


def test_a_browser_gets_a_page_for_what_is_not_there(served, alice):
    answer = served.client(**BROWSER).get("/nothing")
    assert answer.status == 404
    assert answer.headers.get_content_type() == "text/html"
    assert b"There is nothing here" in answer.body
    # What is under /api speaks JSON to everybody.
    assert served.client(**BROWSER).get("/api/nothing").refusal == (404, "not_found")
    assert alice.get(f"/api/chats/{uuid.uuid4()}", headers=BROWSER).refusal == (404, "not_found")


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("PUT", "/api/chats", "GET, POST, HEAD, OPTIONS"),
        ("DELETE", "/api/me", "GET, PATCH, HEAD, OPTIONS"),
        ("GET", "/api/sign-up", "POST, OPTIONS"),
        ("HEAD", "/api/sign-up", "POST, OPTIONS"),
        ("GET", "/api/messages/x/read", "PUT, OPTIONS"),
        ("TRACE", "/api/me", "GET, PATCH, HEAD, OPTIONS"),
        ("PROPFIND", "/api/me", "GET, PATCH, HEAD, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("POST", "/sign-in", "GET, HEAD, OPTIONS"),
        ("PATCH", "/static/icon.svg", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_an_address_does_not_take_is_refused_with_those_it_takes(served, method, path, allowed):
    answer = served.client().request(method, path)
    assert answer.status == 405
    assert answer.headers["Allow"] == allowed
    if method != "HEAD":
        assert answer.code == "method_not_allowed"


def test_options_tells_what_may_be_done(served):
    answer = served.client().request("OPTIONS", "/api/chats")
    assert (answer.status, answer.body, answer.headers["Allow"]) == (204, b"", "GET, POST, HEAD, OPTIONS")
    assert served.client().request("OPTIONS", "/nothing").status == 404


def test_head_answers_as_get_without_a_body(alice):
    pages = ("/api/docs", "/static/icon.svg", "/favicon.ico", "/")
    for path in ("/api/me", "/api/chats", "/api/openapi.json", "/healthz", *pages):
        head, get = alice.request("HEAD", path), alice.get(path)
        assert (head.status, head.body) == (200, b""), path
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert alice.request("HEAD", f"/api/chats/{uuid.uuid4()}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/me",
        "/api/nothing",
        "/nothing",
        "/sign-in",
        "/static/icon.svg",
        "/healthz",
        "/api/docs",
        "/api/openapi.json",
        "/",
    ],
)
def test_every_answer_has_the_security_headers(served, path):
    headers = served.client(**BROWSER).get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Tornado" not in headers["Server"]
    assert abs((parsedate_to_datetime(headers["Date"]) - datetime.now(timezone.utc)).total_seconds()) < 2


def test_answers_of_the_api_are_kept_by_nobody(served, alice):
    for answer in (alice.get("/api/chats"), alice.get("/api/nothing"), served.client().get("/api/me")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["ETag"] is None


def test_our_own_fault_is_logged_and_not_explained(served, alice, caplog, monkeypatch):
    async def fails(*_):
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr("handlers.users.users.get", fails)
    answer = alice.get(f"/api/users/{alice.id}")
    assert answer.refusal == (500, "internal")
    assert b"secret" not in answer.body
    assert "a secret of the house" in caplog.text


def test_while_postgresql_is_away_mutations_are_unavailable_and_can_be_repeated(serve, postgres):
    served = serve(DATABASE_SECONDS="1")
    user = served.user()
    chat, key = user.chat(), str(uuid.uuid4())
    path = f"/api/chats/{chat}/messages"
    postgres.kill()
    try:
        answer = user.post(path, {"content": "Hello"}, key=key)
        assert answer.refusal == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        page = served.client(**BROWSER, Cookie=f"parley-session={user.token}x").get("/")
        assert (page.status, page.headers.get_content_type()) == (503, "text/html")
        assert b"catching its breath" in page.body
    finally:
        postgres.start()
    again = user.post(path, {"content": "Hello"}, key=key)
    assert again.status == 201
    assert user.get(path).json["items"] == [again.json]


def test_a_frozen_postgresql_holds_nobody_longer_than_the_deadline(serve, postgres):
    served = serve(DATABASE_SECONDS="1")
    user = served.user()
    chat = user.chat()
    loop_time = served.run(asyncio.sleep(0, served._loop.time))
    started = loop_time()
    postgres.freeze()
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: user.get(f"/api/chats/{chat}"), range(4)))
    finally:
        postgres.thaw()
    assert {answer.refusal for answer in answers} == {(503, "unavailable")}
    assert loop_time() - started < 5
