"""Addresses: deep links, back and forward, and what is kept when a page is left or loaded again."""

import re

from playwright.sync_api import expect

# As it may be on a busy machine: the messages are scrolled between a change and its drawing.
SCROLLED_BEFORE_DRAWING = """const plain = requestAnimationFrame;
window.requestAnimationFrame = (draw) => plain((now) => {
  document.querySelector("#log")?.dispatchEvent(new Event("scroll"));
  draw(now);
});"""


def test_back_and_forward_walk_through_the_chats(person, window):
    ada, bob = person("Ada"), person("Bob")
    first, second = ada.group("First", bob), ada.group("Second", bob)
    ada.say(first, "in the first")
    ada.say(second, "in the second")
    his = window(bob)
    expect(his.get_by_role("heading", name="Pick a chat")).to_be_visible()
    his.open_chat(first).shows("in the first")
    his.open_chat(second).shows("in the second")
    his.page.go_back()
    his.is_at(f"/chats/{first}")
    his.shows("in the first")
    his.page.go_back()
    his.is_at("/")
    expect(his.get_by_role("heading", name="Pick a chat")).to_be_visible()
    his.page.go_forward()
    his.page.go_forward()
    his.is_at(f"/chats/{second}")
    his.shows("in the second")
    expect(his.row(second)).to_have_attribute("aria-current", "page")
    his.page.reload()
    his.shows("in the second")


def test_a_link_to_a_message_opens_the_history_around_it(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ids = ada.say(chat, *[f"number {number}" for number in range(1, 151)])
    his = window(bob, f"/chats/{chat}/messages/{ids[40]}")
    expect(his.message("number 41")).to_be_in_viewport()
    expect(his.message("number 41")).to_have_attribute("data-marked", "")
    assert his.message("number 150").count() == 0
    # A new message is not put behind the gap, and the way to it leads over the newest page.
    ada.say(chat, "number 151")
    expect(his.row(chat)).to_contain_text("number 151")
    assert his.message("number 151").count() == 0
    his.locator("#jump").click()
    expect(his.message("number 151")).to_be_in_viewport()
    his.is_at(f"/chats/{chat}")


def test_a_page_that_has_come_and_is_not_drawn_yet_does_not_ask_for_the_next_one(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ids = ada.say(chat, *[f"number {number}" for number in range(1, 151)])
    # So high that the page around the message ends not far below the screen, and another joins on.
    his = window(bob, None, viewport={"width": 1280, "height": 1000})
    his.page.add_init_script(SCROLLED_BEFORE_DRAWING)
    his.goto(f"/chats/{chat}/messages/{ids[40]}")
    expect(his.message("number 41")).to_be_in_viewport()
    expect(his.message("number 67")).to_have_count(1)
    expect(his.locator("#log")).to_have_attribute("aria-busy", "false")
    assert his.message("number 150").count() == 0


def test_a_link_to_what_is_not_there_or_not_ones_own_says_so(person, window):
    ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
    chat = ada.direct(bob)
    ids = ada.say(chat, "private")
    hers = window(eve, None)
    hers.expects("status of 404")
    for path in (f"/chats/{chat}", f"/chats/{chat}/messages/{ids[0]}", "/chats/00000000-0000-4000-8000-000000000000"):
        hers.goto(path)
        expect(hers.get_by_role("heading", name="This chat is not here")).to_be_visible()
        assert "private" not in hers.page.content()
    hers.get_by_role("button", name="Back to your chats").click()
    hers.is_at("/")


def test_drafts_stay_with_their_chats_and_survive_a_reload(person, window):
    ada, bob = person("Ada"), person("Bob")
    first, second = ada.group("First", bob), ada.group("Second", bob)
    his = window(bob, f"/chats/{first}")
    his.shows()
    his.field.fill("a thought for the first")
    his.open_chat(second)
    expect(his.field).to_have_value("")
    expect(his.row(first)).to_contain_text(re.compile("Draft:.*a thought for the first"))
    his.field.fill("another for the second")
    his.page.reload()
    expect(his.field).to_have_value("another for the second")
    his.open_chat(first)
    expect(his.field).to_have_value("a thought for the first")
    his.field.press("Enter")
    his.shows("a thought for the first")
    his.page.reload()
    his.shows("a thought for the first")
    expect(his.field).to_have_value("")


def test_a_page_that_does_not_exist_looks_like_one_of_ours(person, window):
    hers = window(person("Ada"), None)
    hers.expects("status of 404")
    hers.goto("/no/such/page")
    expect(hers.get_by_role("heading", name="There is nothing here")).to_be_visible()
    hers.get_by_role("link", name="Go to your chats").click()
    hers.is_at("/")
    hers.is_live()
