"""The screen: a phone's, dark and light, and all of it without a mouse."""

import re

from playwright.sync_api import expect

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}

# What a finger must hit, smaller than 44 × 44 px; what stands within a line of text may be smaller.
SMALL_TARGETS = """() => [...document.querySelectorAll("button, a, input, textarea")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".message-text, .message-meta, .not-sent, .readers-place, .account-other, .skip-link"))
  .map((one) => [one.getBoundingClientRect(), `${one.tagName} #${one.id} .${one.className} ${one.ariaLabel ?? one.textContent}`])
  .filter(([box]) => box.width && box.height && (box.width < 43.9 || box.height < 43.9))
  .map(([box, name]) => `${Math.round(box.width)}×${Math.round(box.height)} ${name}`)"""

OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


def fits_a_finger(window):
    assert "\n".join(window.page.evaluate(SMALL_TARGETS)) == ""
    assert window.page.evaluate(OVERFLOW) <= 0


def test_a_phone_shows_one_pane_at_a_time_and_leads_back(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.group("A rather long name for a group of people who walk in the hills on Sundays", bob)
    ada.say(
        chat,
        "A word that is much too long for the screen: " + "Donaudampfschifffahrt" * 6,
        "https://example.org/" + "path/" * 30,
    )
    his = window(bob, **PHONE)
    sidebar, conversation = his.locator("#sidebar"), his.locator("#conversation")
    expect(sidebar).to_be_visible()
    expect(conversation).to_be_hidden()
    fits_a_finger(his)

    his.row(chat).tap()
    expect(conversation).to_be_visible()
    expect(sidebar).to_be_hidden()
    expect(his.bubbles).to_have_count(2)
    assert his.field.evaluate("(field) => field.scrollHeight - field.clientHeight") <= 0  # its placeholder is one line
    expect(his.field).not_to_be_focused()  # or the keyboard would cover what is to be read
    fits_a_finger(his)
    his.field.tap()
    his.field.fill("from the phone")
    his.get_by_role("button", name="Send").tap()
    expect(his.message("from the phone")).to_be_in_viewport()
    expect(his.message("from the phone")).to_have_attribute("data-status", "stored")
    his.press_long(his.message("from the phone").locator(".bubble"))
    expect(his.dialog).to_contain_text("from the phone")
    fits_a_finger(his)
    his.dialog.get_by_role("button", name="Reply with a quote").tap()
    expect(his.dialog).to_have_count(0)
    expect(his.field).to_have_value("> **Bob**\n> from the phone\n\n")
    his.field.fill("")

    his.locator("#show-details").tap()
    expect(his.details).to_be_visible()
    expect(conversation).to_be_hidden()
    fits_a_finger(his)
    his.page.go_back()
    expect(conversation).to_be_visible()
    expect(his.details).to_be_hidden()

    his.get_by_role("button", name="Back to chats").tap()
    expect(sidebar).to_be_visible()
    expect(conversation).to_be_hidden()
    his.is_at("/")
    his.get_by_role("button", name="New chat").tap()
    expect(his.dialog).to_be_visible()
    fits_a_finger(his)


def test_the_sign_in_page_fits_a_phone(window):
    stranger = window(path="/sign-in", **PHONE)
    fits_a_finger(stranger)
    stranger.goto("/sign-up")
    fits_a_finger(stranger)


COLOURS = """() => [document.body, document.querySelector("#conversation"), document.querySelector("#composer-text")]
  .map((one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color])"""


def luminance(colour: str) -> float:
    red, green, blue = [int(part) for part in re.findall(r"\d+", colour)[:3]]
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_it_is_dark_where_the_device_is_and_as_chosen_here(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, f"/chats/{chat}", color_scheme="dark")

    def is_dark():
        pairs = [[luminance(one) for one in pair] for pair in hers.page.evaluate(COLOURS)]
        assert len({ground > ink for ground, ink in pairs}) == 1, pairs
        return pairs[0][0] < pairs[0][1]

    assert is_dark()
    hers.page.emulate_media(color_scheme="light")
    assert not is_dark()
    hers.goto("/settings")
    hers.get_by_role("radio", name="Dark").check()
    assert is_dark()
    hers.page.reload()
    assert is_dark()
    hers.is_live()
    hers.get_by_role("radio", name="System").check()
    assert not is_dark()


def test_everything_can_be_done_without_a_mouse(person, window):
    ada, bob = person("Ada"), person("Bob")
    other = ada.group("Another", bob)
    hers = window(ada)
    press = hers.page.keyboard.press

    def focused(name):
        expect(hers.locator(":focus")).to_have_accessible_name(name)

    # The first thing that Tab reaches leads past the list.
    press("Tab")
    focused("Skip to the chats")
    press("Enter")
    focused("Find a chat")

    # A new chat, found, and written into.
    press("Alt+n")
    focused("Search people")
    hers.page.keyboard.type(bob.username)
    expect(hers.dialog.locator(".person-button")).to_have_count(1)
    press("ArrowDown")
    press("Enter")
    expect(hers.title).to_have_text("Bob")
    expect(hers.field).to_be_focused()
    hers.page.keyboard.type("first line")
    press("Shift+Enter")
    hers.page.keyboard.type("second line")
    press("Enter")
    expect(hers.bubbles).to_have_text([re.compile(r"first line\s+second line")])
    chat = hers.page.url.rpartition("/")[2]
    expect(hers.locator("#messages .message")).to_have_attribute("data-status", "stored")
    assert ada.texts(chat) == ["first line\nsecond line"]

    # The last message is edited, Escape leaves it, the arrows walk to it, Delete asks.
    press("ArrowUp")
    focused("Edit message")
    press("Escape")
    expect(hers.field).to_be_focused()
    press("Shift+Tab")
    for _ in range(6):
        if hers.page.evaluate("() => document.activeElement.id") == "log":
            break
        press("Shift+Tab")
    focused("Messages")
    press("ArrowUp")
    expect(hers.locator(".message:focus")).to_have_count(1)
    press("Delete")
    expect(hers.dialog).to_contain_text("Delete this message?")
    focused("Cancel")
    press("Escape")
    expect(hers.dialog).to_have_count(0)
    expect(hers.locator(".message:focus")).to_have_count(1)
    press("Escape")
    expect(hers.field).to_be_focused()

    # The other chat by name, and by its place in the list.
    press("Control+k")
    focused("Go to a chat or a person")
    hers.page.keyboard.type("anoth")
    expect(hers.dialog.get_by_role("option")).to_have_text([re.compile("Another")])
    press("Enter")
    hers.is_at(f"/chats/{other}")
    press("Alt+ArrowUp")
    hers.is_at(f"/chats/{chat}")
    for _ in range(20):
        if hers.locator(".skip-link").evaluate("(link) => link === document.activeElement"):
            break
        press("Shift+Tab")
    focused("Skip to the message field")
    press("Enter")
    expect(hers.field).to_be_focused()
    hers.is_at(f"/chats/{chat}")
    press("Alt+d")
    expect(hers.details).to_be_visible()
    press("Escape")
    expect(hers.details).to_be_hidden()
    expect(hers.field).to_be_focused()


def test_the_focus_can_be_seen_and_stays_within_a_dialog(person, window):
    hers = window(person("Ada"))
    hers.locator("#new-chat").focus()
    hers.page.keyboard.press("Enter")
    expect(hers.dialog).to_be_visible()
    for _ in range(12):
        hers.page.keyboard.press("Tab")
        inside = hers.page.evaluate(
            "() => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
        assert inside
    hers.page.keyboard.press("Escape")
    expect(hers.dialog).to_have_count(0)
    expect(hers.locator("#new-chat")).to_be_focused()
    style = hers.locator("#new-chat").evaluate(
        "(one) => [getComputedStyle(one).outlineStyle, getComputedStyle(one).boxShadow]"
    )
    assert style != ["none", "none"]


def test_enter_that_ends_a_composition_does_not_send(person, window):
    """As with Japanese or Chinese input, where Enter takes what is being composed."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, f"/chats/{chat}")
    hers.shows()
    hers.field.focus()
    keyboard = hers.page.context.new_cdp_session(hers.page)
    keyboard.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    expect(hers.field).to_have_value("にほん")
    enter = {"key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    keyboard.send("Input.insertText", {"text": "日本"})
    expect(hers.field).to_have_value("日本")
    hers.shows()
    hers.field.press("Enter")
    hers.shows("日本")
    hers.until(lambda: ada.texts(chat) == ["日本"], "stored")


# What reaches beyond its part of the screen, cut off or not.
SPILLS = """(selector) => [...document.querySelectorAll(`${selector} *`)]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > one.closest(selector).getBoundingClientRect().right + 1)
  .map((one) => `${one.tagName} .${one.className} ${one.textContent.slice(0, 40)}`)"""


def test_long_names_stay_in_their_place(person, window):
    ada, bob = person("Ada"), person("Wolfeschlegelsteinhausenbergerdorff von Hohenlohe-Langenburg-Schillingsfürst")
    direct = ada.direct(bob)
    group = ada.group("The planning committee for the northern warehouse and its surroundings", bob)
    hers = window(ada, f"/chats/{direct}", **PHONE)
    expect(hers.locator(".messages-start h3")).to_have_text(bob.name)
    assert hers.page.evaluate(SPILLS, "#messages") == []
    wide = window(ada, f"/chats/{group}")
    wide.locator("#search-chat").click()
    expect(wide.locator("#search").get_by_text("All chats")).to_be_in_viewport()
    assert wide.page.evaluate(SPILLS, "#search") == []


def test_the_pill_does_not_cover_the_way_to_the_first_unread_message(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    bob.read(ada.say(chat, *[f"number {number}" for number in range(70)])[0])
    his = window(bob, f"/chats/{chat}", fresh=True)
    his.expects_no_network()
    way = his.get_by_role("button", name="unread messages")
    expect(way).to_be_visible()
    his.page.context.set_offline(True)
    expect(his.pill).to_be_visible()
    bottom = way.bounding_box()["y"] + way.bounding_box()["height"]
    assert his.pill.bounding_box()["y"] >= bottom
