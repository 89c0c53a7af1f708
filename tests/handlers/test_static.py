"""Static files: how long they are kept, and that nothing else is given away."""

import pytest

from handlers.static import static_url


def test_a_versioned_address_is_kept_for_good(served):
    address = static_url("icon.svg")
    answer = served.client().get(address)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["", "?v=", "?v=another-release", "?v=%ff"])
def test_any_other_address_is_asked_for_again(served, query):
    answer = served.client().get("/static/icon.svg" + query)
    assert answer.headers["Cache-Control"] == "no-cache"
    again = served.client().get("/static/icon.svg" + query, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static//etc/passwd",
        "/static/..%2fsettings.py",
        "/static/js",
        "/static/js/",
        "/static/nothing.js",
        "/static/%00",
        "/static/" + "x" * 3000,
    ],
)
def test_nothing_else_is_given_away(served, path):
    assert served.client().get(path).refusal == (404, "not_found")


def test_modules_are_scripts(served):
    answer = served.client().get("/static/js/net/ids.js")
    assert answer.headers.get_content_type() in ("text/javascript", "application/javascript")


def test_the_usual_place_of_the_icon_has_it(served):
    assert served.client().get("/favicon.ico").body == served.client().get("/static/icon.svg").body
