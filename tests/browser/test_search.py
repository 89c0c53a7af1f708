"""Searching what was said, and going there."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_screen import PHONE, fits_a_finger
from tests.handlers.served import until


@pytest.fixture
def talk(person):
    """Ada, Bob, and two chats of theirs with something to find."""
    ada, bob = person("Ada"), person("Bob")
    harvest, kitchen = ada.group("Harvest", bob), ada.group("Kitchen", bob)
    ids = ada.say(
        harvest, *[f"line {number}" if number != 20 else "The walrus and the **carpenter**" for number in range(120)]
    )
    bob.say(kitchen, "A walrus cake?", "<mark>no walrus</mark> & <b>butter</b>")
    for query in (f"q=butter&chatId={kitchen}", f"q=119&chatId={harvest}"):
        # The last ones. They can be found soon after they were sent.
        until(lambda query=query: ada.call("GET", f"/api/search?{query}")["items"])
    return ada, bob, harvest, kitchen, ids[20]


def search(window, text):
    window.locator("#search-text").fill(text)


def hits(window):
    return window.locator("#search-hits a")


def test_what_was_said_is_found_marked_and_jumped_to(talk, window):
    ada, bob, harvest, kitchen, message = talk
    his = window(bob)
    his.page.keyboard.press("/")
    expect(his.locator("#search-text")).to_be_focused()
    expect(his.locator("#search")).to_contain_text("Find what was said")
    his.page.keyboard.type("walr")
    expect(hits(his)).to_have_count(3)
    expect(hits(his).nth(0)).to_contain_text("Kitchen")
    expect(hits(his).nth(0).locator(".result-words")).to_have_text("<mark>no walrus</mark> & <b>butter</b>")
    expect(hits(his).nth(1)).to_contain_text(re.compile("You:.*A walrus cake"))
    assert his.locator("#search-hits mark").all_text_contents() == ["walrus"] * 3
    expect(his.locator("#search [role=status]")).to_have_text("3 messages")

    # By the keyboard alone: down to the last hit, which is far up in its chat.
    for _ in range(3):
        his.page.keyboard.press("ArrowDown")
    expect(hits(his).nth(2)).to_be_focused()
    his.page.keyboard.press("Enter")
    his.is_at(f"/chats/{harvest}/messages/{message}")
    expect(his.message("The walrus and the carpenter")).to_be_in_viewport()
    expect(his.message("The walrus and the carpenter")).to_have_attribute("data-marked", "")
    # The focus stays, so that one goes on from hit to hit.
    expect(hits(his).nth(2)).to_be_focused()
    expect(hits(his).nth(2)).to_have_attribute("aria-current", "true")
    his.page.keyboard.press("ArrowUp")
    his.page.keyboard.press("Enter")
    expect(his.title).to_have_text("Kitchen")

    his.page.keyboard.press("Escape")
    expect(his.locator("#search")).to_be_hidden()
    expect(his.row(kitchen)).to_be_visible()
    expect(his.field).to_be_focused()


def test_one_chat_is_searched_alone_and_then_all(talk, window):
    ada, bob, harvest, kitchen, message = talk
    hers = window(ada, f"/chats/{harvest}")
    hers.get_by_role("button", name="Search in this chat").click()
    expect(hers.get_by_role("radio", name="In Harvest")).to_be_checked()
    search(hers, "cake")
    expect(hers.locator("#search")).to_contain_text("No message has “cake”.")
    hers.get_by_role("button", name="Search all chats").click()
    expect(hits(hers)).to_have_count(1)
    hers.get_by_role("radio", name="In Harvest").check(force=True)
    search(hers, 'walrus -"no walrus"')
    expect(hits(hers)).to_have_count(1)
    hers.locator("#close-search").click()
    expect(hers.get_by_role("button", name="Search in this chat")).to_be_focused()


def test_many_hits_come_by_the_page(talk, window):
    ada, bob, harvest, *_ = talk
    hers = window(ada, f"/chats/{harvest}")
    hers.page.keyboard.press("Control+Shift+F")
    search(hers, "line")
    expect(hits(hers)).to_have_count(20)
    expect(hers.locator("#search [role=status]")).to_have_text("The newest 20 messages")
    for _ in range(12):
        hers.locator(".search-scroll").evaluate("(pane) => pane.scrollTo(0, pane.scrollHeight)")
        hers.page.wait_for_timeout(50)
    expect(hers.locator("#search [role=status]")).to_have_text("119 messages")
    texts = hers.locator(".result-words").all_text_contents()
    assert texts == [f"line {number}" for number in reversed(range(120)) if number != 20]


def test_what_goes_wrong_is_said_and_goes_on_by_itself(talk, window):
    ada, bob, harvest, *_ = talk
    hers = window(ada)
    hers.expects_no_network()
    hers.page.keyboard.press("/")
    search(hers, "-walrus")
    expect(hers.locator("#search")).to_contain_text("Give at least one word to look for.")
    hers.page.route(
        "**/api/search?*",
        lambda route: route.fulfill(
            status=422,
            json={
                "error": {
                    "code": "search_too_broad",
                    "message": "The search took too long. Look for more words, or in one chat.",
                    "field": None,
                }
            },
        ),
    )
    search(hers, "walrus")
    expect(hers.locator("#search")).to_contain_text("The search took too long")
    hers.page.unroute("**/api/search?*")
    hers.page.context.set_offline(True)
    search(hers, "walrus c")
    expect(hers.locator("#search")).to_contain_text("The server cannot be reached.")
    hers.page.context.set_offline(False)
    expect(hits(hers)).to_have_count(2)


def test_an_answer_that_comes_late_does_not_overwrite_a_newer_one(talk, window):
    ada, *_ = talk
    hers = window(ada)
    held = []
    hers.page.route("**/api/search?q=walrus*", lambda route: held.append(route))
    hers.page.keyboard.press("/")
    search(hers, "walrus")
    hers.until(lambda: held, "asked")
    search(hers, "carpenter")
    expect(hits(hers)).to_have_count(1)
    held[0].continue_()
    hers.page.wait_for_timeout(300)
    expect(hits(hers)).to_have_count(1)


def test_nobody_finds_what_they_may_not_read(talk, person, window):
    ada, bob, harvest, *_ = talk
    eve = person("Eve")
    hers = window(eve)
    hers.page.keyboard.press("/")
    search(hers, "walrus")
    expect(hers.locator("#search")).to_contain_text("Nothing found")
    assert "carpenter" not in hers.page.content()


def test_searching_on_a_phone_leads_there_and_back(talk, window):
    ada, bob, harvest, kitchen, message = talk
    hers = window(ada, f"/chats/{harvest}", **PHONE)
    hers.get_by_role("button", name="Search in this chat").tap()
    search(hers, "carpenter")
    expect(hits(hers)).to_have_count(1)
    fits_a_finger(hers)
    hits(hers).tap()
    expect(hers.message("The walrus and the carpenter")).to_be_in_viewport()
    hers.get_by_role("button", name="Back to chats").tap()
    expect(hits(hers)).to_have_count(1)
    hers.locator("#close-search").tap()
    expect(hers.row(harvest)).to_be_visible()
