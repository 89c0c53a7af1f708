"""What can be done to one message: by pointer, by keys, by a finger that rests on it."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_screen import PHONE, fits_a_finger


@pytest.fixture
def said(person, window):
    """`(ada, bob, chat, message id, her window)`: she owns the group in which he has said something."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.group("Two", bob)
    (message,) = bob.say(chat, "said *by* Bob")
    hers = window(ada, f"/chats/{chat}", permissions=["clipboard-read", "clipboard-write"])
    hers.shows("said by Bob")
    return ada, bob, chat, message, hers


def clipboard(window):
    return window.page.evaluate("() => navigator.clipboard.readText()")


def test_text_and_link_are_copied_and_the_link_leads_there(said):
    _, _, chat, message, hers = said
    hers.act("said by Bob", "copy")
    expect(hers.locator(".toast")).to_contain_text("Text copied.")
    assert clipboard(hers) == "said *by* Bob"
    hers.act("said by Bob", "link")
    expect(hers.locator(".toast").last).to_contain_text("Link copied.")
    assert clipboard(hers) == f"{hers.url}/chats/{chat}/messages/{message}"
    hers.goto(clipboard(hers).removeprefix(hers.url))
    expect(hers.message("said by Bob")).to_have_attribute("data-marked", "")


def test_a_link_of_this_server_opens_in_this_page(said):
    ada, bob, chat, message, hers = said
    other = ada.group("Other", bob)
    ada.say(other, f"see {hers.url}/chats/{chat}/messages/{message}")
    hers.open_chat(other)
    hers.page.evaluate("() => (window.same = true)")
    hers.locator(".message-text a").click()
    hers.is_at(f"/chats/{chat}/messages/{message}")
    expect(hers.message("said by Bob")).to_have_attribute("data-marked", "")
    assert hers.page.evaluate("() => window.same")


def test_the_owner_deletes_what_somebody_else_wrote(said):
    _, _, _, _, hers = said
    hers.act("said by Bob", "delete")
    hers.confirm()
    hers.shows("Message deleted")
    hers.locator("#messages .message").hover()
    expect(hers.locator(".message-actions")).to_have_count(0)


def test_the_menu_goes_by_keys_alone_and_gives_the_focus_back(said):
    _, _, _, _, hers = said
    press = hers.page.keyboard.press
    hers.locator("#log").focus()
    press("ArrowUp")
    row = hers.locator(".message:focus")
    expect(row).to_have_count(1)
    expect(row.locator(".message-actions")).to_be_visible()
    press("Enter")
    menu = hers.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name="Reply")).to_be_focused()
    press("ArrowUp")
    expect(menu.get_by_role("menuitem", name="Delete")).to_be_focused()
    press("ArrowDown")
    press("Escape")
    expect(menu).to_have_count(0)
    expect(row).to_be_focused()
    press("w")
    expect(hers.dialog).to_contain_text("Read by")
    press("Escape")
    press("r")
    expect(hers.field).to_be_focused()
    expect(hers.field).to_have_value("> **Bob**\n> said *by* Bob\n\n")


def test_a_resting_finger_opens_a_sheet_and_a_moving_one_scrolls(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    bob.read(ada.say(chat, *[f"number {number}" for number in range(40)])[-1])
    his = window(bob, f"/chats/{chat}", **PHONE)
    expect(his.bubbles).to_have_count(40)
    last = his.message("number 39")
    expect(last).to_be_in_viewport()
    box = last.locator(".bubble").bounding_box()
    finger = his.page.context.new_cdp_session(his.page)
    y = box["y"]
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": box["x"] + 20, "y": y}]})
    for step in range(1, 13):
        finger.send(
            "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": box["x"] + 20, "y": y + 15 * step}]}
        )
        his.page.wait_for_timeout(50)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(his.dialog).to_have_count(0)

    his.locator("#log").evaluate("(log) => { log.scrollTop = log.scrollHeight; }")
    his.press_long(last.locator(".bubble"))
    names = [button.get_attribute("data-action") for button in his.dialog.locator(".menu-item").all()]
    assert names == ["reply", "copy", "link", "reads"]
    fits_a_finger(his)
    his.dialog.get_by_role("button", name="Who has read it").tap()
    expect(his.dialog).to_contain_text("Read by")
    expect(his.dialog.locator(f'[data-user-id="{bob.id}"]')).to_be_visible()
