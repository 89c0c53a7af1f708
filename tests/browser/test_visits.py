"""What a visit loads: all of it from one build, once, and nothing of it again."""

import json
import re
import shutil
import sys

import pytest
from playwright.sync_api import expect

from handlers.static import FOR_GOOD
from local.instance import Instance
from local.nginx import Nginx
from local.processes import ROOT, free_port

# What an instance needs to run; a tree of a release has no tests.
APART = (".*", "var", "tests", "bench", "faults", "docs", "deploy", "__pycache__")
NAMED = """() => [...document.querySelectorAll("link[rel=modulepreload], script")]
  .map((one) => new URL(one.href || one.src).pathname)"""
RESOURCES = """() => performance.getEntriesByType("resource").map((one) => new URL(one.name).pathname)"""


class OtherBuild(Instance):
    """An instance of a tree of its own."""

    def __init__(self, tree, *given, **more):
        super().__init__(*given, **more)
        self._tree = tree

    def command(self):
        return [sys.executable, self._tree / "server.py"]


@pytest.fixture(scope="module")
def other_tree(tmp_path_factory):
    """This release but for a word in a module and in a stylesheet: another build."""
    tree = tmp_path_factory.mktemp("other") / "parley"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*APART))
    for path in ("js/app.js", "css/tokens.css"):
        with (tree / "static" / path).open("a") as file:
            file.write("/* another build */\n")
    return tree


def asked(instances, route):
    """How many requests of a route have reached these instances; read at each, past nginx."""
    pattern = re.compile(rf'^parley_request_seconds_count\{{.*route="{re.escape(route)}.*\}} (\S+)$', re.MULTILINE)
    texts = [instance.get("/metrics")[1].decode() for instance in instances]
    return sum(float(count) for text in texts for count in pattern.findall(text))


def builds_of(window):
    """Those that the page's files came from."""
    return {path.split("/")[2] for path in window.page.evaluate(RESOURCES) if path.startswith("/static/")}


@pytest.mark.parametrize("through", ["nginx", "an instance"])
def test_a_second_visit_asks_for_no_static_file(parley, person, window, through):
    ada = person("Ada")
    ada.group("Plans", person("Bob"))
    at = parley.url if through == "nginx" else parley.instances[0].url
    first = window(ada, at=at, fresh=True)
    expect(first.locator("#chats [data-chat-id]")).to_have_count(1)
    first.page.wait_for_load_state()

    def counts():
        return [asked(parley.instances, route) for route in ("/static/", "/favicon", "/api/chats")]

    files, icons, lists = counts()
    assert files > 50
    second = window(ada, at=at, beside=first)
    expect(second.locator("#chats [data-chat-id]")).to_have_count(1)
    second.page.wait_for_load_state()
    assert counts() == [files, icons, lists + 1]
    # The list of chats is the answer of the request that was on its way before the first module ran.
    initiators = """() => performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/chats?"))
      .map((one) => one.initiatorType)"""
    assert second.page.evaluate(initiators) == ["link"]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/activity"])
def test_a_page_names_every_module_that_it_loads_and_all_are_of_its_build(parley, person, window, path):
    shown = window(person("Ada"), None, fresh=True) if path == "/" else window(None, None, fresh=True)
    shown.goto(path)
    shown.page.wait_for_load_state()
    named = shown.page.evaluate(NAMED)
    assert set(named) == {path for path in shown.page.evaluate(RESOURCES) if path.endswith(".js")}
    assert len(named) == len(set(named))
    assert len(builds_of(shown)) == 1


def test_behind_nginx_a_page_that_is_loaded_during_a_deploy_is_of_one_build(other_tree, window, person, parley):
    """Two instances of two builds: whichever gives the page, its files come from the same."""
    ada = person("Ada")
    other = OtherBuild(other_tree, "web.9", parley.database, parley.valkey.url, port=free_port(), env=parley.env)
    nginx = Nginx(parley.directory / "mixed", free_port(), [parley.instances[0].address, other.address], name="mixed")
    try:
        other.start()
        nginx.start()
        seen = set()
        for _ in range(8):
            shown, kept = window(ada, None, at=nginx.url, fresh=True), []
            shown.page.on(
                "response", lambda answer, kept=kept: kept.append((answer.url, answer.headers.get("cache-control")))
            )
            shown.goto("/").is_live()
            # So an instance answers only its own build.
            assert {how for url, how in kept if re.search("/static/.*/(js|css)/", url)} == {FOR_GOOD}
            (build,) = builds_of(shown)
            seen.add(build)
        assert len(seen) == 2, "both instances gave pages"
    finally:
        nginx.kill()
        other.kill()


@pytest.mark.parametrize("part", ["outbox.js", "app.js", "tokens.css"])
def test_a_page_of_which_a_part_is_not_to_be_had_is_loaded_again(person, window, part):
    shown = window(person("Ada"), None, fresh=True)
    missing = []

    def refuse_once(route):
        missing.append(route.request.url)
        route.fulfill(status=404, body="") if len(missing) == 1 else route.continue_()

    shown.page.route(re.compile(rf"/static/\w+/.*\b{re.escape(part)}$"), refuse_once)
    shown.expects(r"Failed to load resource.*404")
    shown.goto("/")
    shown.until(lambda: len(missing) == 2, "the page is loaded again")
    shown.is_live()
    assert shown.page.evaluate("() => sessionStorage.getItem('parley.reloads')") is None


def test_a_tab_that_is_open_over_a_deploy_still_finds_its_icon(parley, person, window):
    shown = window(person("Ada"))
    build = next(iter(builds_of(shown)))
    script = "(address) => fetch(address).then((answer) => [answer.status, answer.headers.get('Cache-Control')])"
    answers = [shown.page.evaluate(script, f"/static/{one}/icon-unread.svg") for one in (build, "0123456789abcdef")]
    assert json.dumps(answers) == json.dumps([[200, "public, max-age=31536000, immutable"], [200, "no-cache"]])
