"""Which handler a path reaches, and with which arguments."""

import pytest

from handlers.application import ROUTES
from web.routing import Routes

PATHS = [path for path, _ in ROUTES]
IDS = {
    "chatId": "c1",
    "userId": "u1",
    "messageId": "m1",
    "sessionId": "s1",
    "invitationId": "i1",
    "token": "t1",
    "file:path": "js/app.js",
}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_reaches_its_own_handler_with_its_arguments(path):
    asked, arguments = path, []
    for name, value in sorted(IDS.items(), key=lambda one: path.find(one[0])):
        if "{" + name + "}" in path:
            asked = asked.replace("{" + name + "}", value)
            arguments.append(value)
    assert "{" not in asked
    route, handler, found = Routes(ROUTES).find(asked)
    assert (route, handler, list(found)) == (path, dict(ROUTES)[path], arguments)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/api",
        "/api/",
        "/api/chats/",
        "/api/chats/a/b",
        "/api/chats//messages",
        "/api/chats/a/messages/",
        "/api/chats/a/messages/b",
        "//",
        "/nothing",
        "/static",
        "/static/",
        "/api/chats\n",
        "/api/chats/a/messages\n",
        "x/api/chats",
        "*",
        "/API/chats",
    ],
)
def test_whatever_else_reaches_none(path):
    assert Routes(ROUTES).find(path) is None


@pytest.mark.parametrize(
    "segment, argument",
    [
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("%C3%A4", "ä"),
        ("%2e%2E", ".."),
        ("a%2Fb", "a/b"),
        ("%ff", "\ufffd"),
        ("%", "%"),
        ("%zz", "%zz"),
    ],
)
def test_an_argument_is_what_the_percent_signs_stand_for(segment, argument):
    assert Routes(ROUTES).find(f"/api/users/{segment}")[2] == [argument]


def test_of_a_table_without_arguments_nothing_else_is_found():
    routes = Routes([("/", "home")])
    assert routes.find("/") == ("/", "home", ()) and routes.find("") is None


def test_the_rest_of_a_path_may_have_slashes_and_a_segment_has_none():
    routes = Routes([("/one/{id}", "one"), ("/all/{rest:path}", "all")])
    assert routes.find("/all/a/b")[1:] == ("all", ["a/b"])
    assert routes.find("/one/a/b") is None and routes.find("/one/") is None
