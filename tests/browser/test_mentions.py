"""Mentions: offered while writing, put in by keyboard and finger, seen by the one who is meant."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_screen import PHONE


@pytest.fixture
def trio(person):
    ada, bob, cem = person("Ada"), person("Bob Ross"), person("Cem")
    return ada, bob, cem, ada.group("Trio", bob, cem)


def options(window):
    return window.get_by_role("option")


def test_a_person_is_offered_and_chosen_with_the_keyboard_and_sees_it(trio, window, parley):
    ada, bob, cem, chat = trio
    hers = window(ada, f"/chats/{chat}", at=parley.instances[0].url)
    his = window(bob, f"/chats/{chat}", at=parley.instances[1].url)
    theirs = window(cem, f"/chats/{chat}", at=parley.instances[1].url)
    hers.shows()
    hers.field.press_sequentially("ask @")
    expect(options(hers)).to_have_count(2)
    expect(options(hers).first).to_have_attribute("aria-selected", "true")
    hers.field.press("ArrowDown")
    expect(options(hers).last).to_have_attribute("aria-selected", "true")
    hers.field.press("ArrowUp")
    hers.field.press("Enter")
    expect(hers.field).to_have_value(f"ask @{bob.username} ")
    expect(options(hers)).to_have_count(0)
    hers.field.press_sequentially("@ros")
    expect(options(hers)).to_have_count(1)
    hers.field.press("Escape")
    expect(options(hers)).to_have_count(0)
    expect(hers.field).to_have_value(f"ask @{bob.username} @ros")
    hers.field.press("Enter")
    for one, meant in ((hers, False), (his, True), (theirs, False)):
        mention = one.locator(f'.mention[data-mention="{bob.username}"]')
        expect(mention).to_have_attribute("title", "Bob Ross")
        expect(one.locator(".mention")).to_have_count(1)  # @ros is nobody
        assert (mention.get_attribute("data-me") is not None) is meant
        expect(one.locator("#messages .message[data-mentioned]")).to_have_count(1 if meant else 0)


def test_a_finger_chooses_and_the_field_keeps_the_focus(trio, window):
    ada, bob, _, chat = trio
    hers = window(ada, f"/chats/{chat}", **PHONE)
    hers.shows()
    hers.field.tap()
    hers.page.keyboard.type("@bo")
    expect(options(hers)).to_have_count(1)
    assert options(hers).first.bounding_box()["height"] >= 44
    options(hers).first.tap()
    expect(hers.field).to_have_value(f"@{bob.username} ")
    expect(hers.field).to_be_focused()


def test_names_can_be_composed_and_enter_that_ends_a_composition_chooses_nobody(person, window):
    ada, bob = person("Ada"), person("日本 花子")
    chat = ada.group("Two", bob)
    hers = window(ada, f"/chats/{chat}")
    hers.shows()
    hers.field.press_sequentially("@")
    expect(options(hers)).to_have_count(1)
    keyboard = hers.page.context.new_cdp_session(hers.page)
    keyboard.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    keyboard.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229},
    )
    expect(hers.field).to_have_value("@にほん")
    keyboard.send("Input.insertText", {"text": "日本"})
    expect(hers.field).to_have_value("@日本")
    expect(options(hers)).to_have_count(1)
    hers.field.press("Tab")
    expect(hers.field).to_have_value(f"@{bob.username} ")
    hers.shows()


def test_mentions_can_be_completed_while_editing(trio, window):
    ada, bob, _, chat = trio
    ada.say(chat, "ask somebody")
    hers = window(ada, f"/chats/{chat}")
    hers.shows("ask somebody")
    hers.field.press("ArrowUp")
    editor = hers.get_by_label("Edit message")
    expect(editor).to_be_focused()  # the caret has been put to the end, and stays where `fill` puts it
    editor.fill("ask @bo")
    expect(options(hers)).to_have_count(1)
    editor.press("Enter")
    expect(editor).to_have_value(f"ask @{bob.username} ")
    editor.press("Enter")
    hers.shows(f"ask @{bob.username}")
    expect(hers.locator(".mention")).to_have_count(1)
