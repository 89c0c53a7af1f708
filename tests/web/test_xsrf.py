"""Requests that another site's page makes with the visitor's cookie are refused."""

import pytest

from tests.handlers.served import PASSWORD


@pytest.fixture(scope="module")
def browser(served):
    return served.browser()


def test_a_browsers_mutation_needs_the_token_of_its_cookie(browser):
    body = {"chatType": "group", "participantIds": []}
    assert browser.post("/api/chats", body).status == 201
    for token in (None, "", "nonsense", "2|00000000|00000000000000000000000000000000|0"):
        answer = browser.post("/api/chats", body, headers={"X-Xsrftoken": token})
        assert (*answer.refusal, answer.field) == (403, "xsrf_failed", "X-Xsrftoken")


def test_a_token_without_its_cookie_is_refused(browser):
    answer = browser.post(
        "/api/chats", {"chatType": "group", "participantIds": []}, headers={"Cookie": f"parley-session={browser.token}"}
    )
    assert answer.refusal == (403, "xsrf_failed")


def test_every_unsafe_method_needs_the_token(browser):
    chat = browser.chat()
    for method in ("PATCH", "DELETE"):
        answer = browser.request(method, f"/api/chats/{chat}", {"name": "x"}, headers={"X-Xsrftoken": None})
        assert answer.refusal == (403, "xsrf_failed")
    assert browser.post("/api/sync", {}, headers={"X-Xsrftoken": None}).refusal == (403, "xsrf_failed")
    assert browser.post("/api/sign-out", headers={"X-Xsrftoken": None}).refusal == (403, "xsrf_failed")
    assert browser.get(f"/api/chats/{chat}", headers={"X-Xsrftoken": None}).status == 200


def test_programs_need_no_token(served):
    assert served.user().post("/api/chats", {"chatType": "group", "participantIds": []}).status == 201


def test_a_bearer_token_beside_the_cookie_needs_no_xsrf_token(served, browser):
    both = {"Authorization": f"Bearer {browser.token}", "X-Xsrftoken": None}
    assert browser.post("/api/chats", {"chatType": "group", "participantIds": []}, headers=both).status == 201


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "https://{host}",
        "http://{host}.evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "nonsense",
        "",
        "http://[",
        "http://evil.example@{host}",
    ],
)
def test_another_origin_is_refused_whoever_asks(served, browser, origin):
    headers = {"Origin": origin.format(host=f"127.0.0.1:{served.port}")}
    for client, path, body in (
        (browser, "/api/chats", {"chatType": "group", "participantIds": []}),
        (served.user(), "/api/chats", {"chatType": "group", "participantIds": []}),
        (served.client(), "/api/sign-in", {"username": "anybody", "password": PASSWORD}),
    ):
        answer = client.post(path, body, headers=headers)
        assert (*answer.refusal, answer.field) == (403, "xsrf_failed", "Origin")


def test_our_own_origin_is_welcome(served, browser):
    origin = {"Origin": served.url}
    assert browser.post("/api/chats", {"chatType": "group", "participantIds": []}, headers=origin).status == 201
    behind_tls = {"Origin": "https://Chat.example", "Host": "chat.example", "X-Forwarded-Proto": "https"}
    credentials = {"username": browser.user["username"], "password": PASSWORD}
    assert served.client().post("/api/sign-in", credentials, headers=behind_tls).status == 200
    wrong_scheme = {**behind_tls, "Origin": "http://chat.example"}
    assert served.client().post("/api/sign-in", credentials, headers=wrong_scheme).status == 403


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_no_form_of_another_site_can_sign_anybody_in(served, browser, kind):
    body = f'{{"username": "{browser.user["username"]}", "password": "{PASSWORD}"}}'.encode()
    answer = served.client().send("POST", "/api/sign-in", body, {"Content-Type": kind})
    assert answer.refusal == (415, "unsupported_media_type")
    assert answer.headers["Set-Cookie"] is None


def test_signing_in_needs_no_token_and_sets_one(served, browser):
    client = served.client(Cookie="parley-session=stale")
    answer = client.post("/api/sign-in", {"username": browser.user["username"], "password": PASSWORD})
    assert answer.status == 200
    assert {"parley-session", "_xsrf"} <= client.set_cookies.keys()


def test_a_preflight_of_another_site_is_told_nothing(browser):
    answer = browser.request(
        "OPTIONS", "/api/chats", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status == 204
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
