"""A real Chromium before a real cluster: two instances behind nginx for each module, and people with windows.

    parley  the module's `Cluster`
    person  `person("Ada")` → a `Person` with an account of their own
    window  `window(ada, "/chats/…", at=url)` → a `Window` of hers in a browser of her own, signed in; `at` is nginx, or an
            instance's own address; `beside=` another window: a second tab of the same browser. Without a person: a stranger's.
            `fresh=True`: in a browser that nobody has used nor will. Further options are those of Playwright's `new_context`

A test fails on every error in a console, of a script, or of the content security policy that it did not expect.
"""

import itertools
import os
import re

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.person import Person
from tests.browser.window import DEADLINE_MS, Window, launch
from tests.services import chromium_path

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def browser():
    if chromium_path() is None:
        # On a developer's machine they may be missing; in CI nothing passes unseen.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "there is no Chromium on this machine (.ci/run installs one)"
        )
    expect.set_options(timeout=DEADLINE_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def parley(browser, module_cluster):
    return module_cluster(instances=2)


@pytest.fixture
def person(parley):
    def create(name: str) -> Person:
        username = re.sub("[^a-z]", "", name.lower()) + str(next(_numbers))
        return Person(parley.url, parley.database, username, name)

    return create


@pytest.fixture(scope="module")
def used():
    """Windows that earlier tests have left clean. A new one costs more than everything that most tests do in it."""
    return []


@pytest.fixture
def window(browser, parley, used):
    first, others = [], []  # of each browser context

    def new(reusable, **options) -> Window:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options})
        context.set_default_timeout(DEADLINE_MS)
        return Window(context.new_page(), reusable)

    def show(person=None, path: str | None = "/", *, at=None, beside=None, fresh=False, **options) -> Window:
        url = at or parley.url
        if beside:
            shown = Window(beside.page.context.new_page())
            others.append(shown)
        else:
            fresh = fresh or bool(options)
            shown = used.pop() if used and not fresh else new(not fresh, **options)
            first.append(shown)
            if person:
                cookie = {
                    "name": "parley-session",
                    "value": person.token,
                    "url": url,
                    "sameSite": "Lax",
                    "httpOnly": True,
                }
                shown.page.context.add_cookies([cookie])
        shown.url, shown.person = url, person
        if path is not None:
            shown.goto(path)
            if person:
                shown.is_live()
        return shown

    yield show
    unexpected = [text for shown in first + others for text in shown.unexpected]
    for shown in others:
        shown.page.close()
    for shown in first:
        if shown.reusable and not unexpected:
            shown.clean()
            used.append(shown)
        else:
            shown.page.context.close()
    assert not unexpected, "errors in the browser:\n" + "\n".join(unexpected)
