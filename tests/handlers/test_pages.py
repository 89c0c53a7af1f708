"""The pages: who is shown what, and that they need nothing but this host."""

import re
import uuid
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

import pytest

from handlers.static import ROOT, StaticFiles
from tests.handlers.served import PASSWORD


class Elements(HTMLParser):
    """Every element's name and attributes."""

    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.all.append((tag, dict(attributes)))


def test_who_is_signed_out_is_sent_to_sign_in_and_back(served, alice):
    client, chat, message = served.client(), uuid.uuid4(), uuid.uuid4()
    assert client.get("/").headers["Location"] == "/sign-in"
    for path in (f"/chats/{chat}", f"/chats/{chat}/messages/{message}"):
        answer = client.get(path)
        assert answer.status == 302
        assert answer.headers["Location"] == "/sign-in?next=" + path.replace("/", "%2F")


def test_who_is_signed_in_is_shown_the_chats(served):
    browser = served.browser()
    for path in ("/", f"/chats/{uuid.uuid4()}", f"/chats/{uuid.uuid4()}/messages/{uuid.uuid4()}"):
        answer = browser.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert browser.id in answer.body.decode()
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_visit_renews_the_session_cookie(served):
    browser = served.browser()
    browser.set_cookies.clear()
    browser.get("/")
    renewed = browser.set_cookies["parley-session"]
    assert (renewed.value, renewed["httponly"]) == (browser.token, True)
    days = (parsedate_to_datetime(renewed["expires"]) - datetime.now(timezone.utc)).total_seconds() / 86400
    assert 29.9 < days < 30.1
    # A program that looks at the page gets no cookie of its token.
    program = served.user()
    program.get("/")
    assert "parley-session" not in program.cookies


def test_who_is_signed_in_does_not_sign_in_again(served):
    browser = served.browser()
    chat = f"/chats/{uuid.uuid4()}"
    assert browser.get("/sign-in").headers["Location"] == browser.get("/sign-up").headers["Location"] == "/"
    assert browser.get(f"/sign-in?next={chat}").headers["Location"] == chat


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/chats/..//evil.example",
        "javascript:x",
        "%0d%0aX:y",
        "/chats/00000000-0000-4000-8000-000000000000%0d%0aX:y",
        "%ff",
    ],
)
def test_nobody_is_sent_on_to_another_site(served, wanted):
    assert served.browser().get(f"/sign-in?next={wanted}").headers["Location"] == "/"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up"])
def test_the_pages_to_sign_in_set_the_xsrf_token(served, alice, path):
    client = served.client()
    assert client.get(path).status == 200
    assert client.set_cookies["_xsrf"]["httponly"] == ""
    # A page that is opened again keeps the token that other tabs use.
    assert client.get(path).headers["Set-Cookie"] is None


def test_a_name_is_text_and_no_markup(served):
    client = served.client()
    body = {"username": "scripted", "password": PASSWORD, "displayName": '"><script>alert(1)</script>'}
    assert client.post("/api/sign-up", body).status == 201
    page = client.get("/").body.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("path", ["/", "/settings", "/sign-in", "/sign-up", "/join/nonsense", "/api/docs", "/nothing"])
def test_pages_fit_the_content_security_policy_and_name_only_files_that_are_there(served, alice, path):
    client = served.browser() if path in ("/", "/settings") else served.client(Accept="text/html")
    page, build = client.get(path).body.decode(), StaticFiles(ROOT).build
    for tag, attributes in Elements(page).all:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        for name in ("src", "href", "action"):
            address = attributes.get(name, "")
            assert not re.match(r"[a-z]+:|//", address), address
            if address.startswith("/static/"):
                assert client.get(address).status == 200, address
                assert address.startswith(f"/static/{build}/")


def test_the_contract_as_a_page_shows_every_operation_and_shape(served):
    answer = served.client().get("/api/docs")
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/html")
    ids = {attributes.get("id") for _, attributes in Elements(answer.body.decode()).all}
    document = served.contract.document
    operations = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    assert operations <= ids
    assert {f"shape-{name}" for name in document["components"]["schemas"]} <= ids
    links = {
        attributes["href"][1:]
        for tag, attributes in Elements(answer.body.decode()).all
        if tag == "a" and attributes.get("href", "").startswith("#")
    }
    assert links <= ids
