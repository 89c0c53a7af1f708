"""Being told of messages while nobody looks: once, by one tab, about what one wants to be told of. And tabs that agree."""

import pytest
from playwright.sync_api import expect

# The browser's own would show them to nobody here.
RECORDED = """
  window.told = [];
  window.tones = 0;
  const allowed = %s;
  window.Notification = class {
    static permission = allowed;
    static async requestPermission() { return (this.permission = "granted"); }
    constructor(title, options) { Object.assign(this, { title, ...options }); window.told.push(this); }
    close() { this.closed = true; this.onclose?.(); }
  };
  window.OscillatorNode = class extends window.OscillatorNode { constructor(...all) { super(...all); window.tones += 1; } };
"""


@pytest.fixture
def recorded(window):
    """`recorded(ada, path, permission="granted")` → a window whose notifications and tones are counted."""

    def show(person, path="/", permission="granted"):
        shown = window(person, None, fresh=True)
        shown.page.context.add_init_script(RECORDED % repr(permission))
        shown.goto(path)
        return shown.is_live()

    return show


def told(*windows) -> list:
    return [
        title for one in windows for title in one.page.evaluate("() => told.map((one) => `${one.title}: ${one.body}`)")
    ]


def tones(*windows) -> int:
    return sum(one.page.evaluate("() => tones") for one in windows)


def test_one_tab_tells_of_a_message_when_nobody_looks_and_none_when_somebody_does(person, window, recorded):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    first = recorded(ada)
    second = window(ada, beside=first)
    for tab in (first, second):
        tab.locator("#chat-filter").click()  # a page that was never used may not sound
        tab.look_away()
    bob.say(chat, "Are you there?")
    first.until(lambda: told(first, second), "a notification")
    first.until(lambda: tones(first, second), "a sound")
    for tab in (first, second):
        expect(tab.badge(chat)).to_have_text("1")
        expect(tab.page).to_have_title("(1) Parley")

    second.look_back()
    bob.say(chat, "I see you are")
    for tab in (first, second):
        expect(tab.badge(chat)).to_have_text("2")
        expect(tab.locator(".toast")).to_contain_text("I see you are")
    assert told(first, second) == ["Bob: Are you there?"] and tones(first, second) == 2

    # A click on it opens the chat; reading it takes the notification away.
    teller = first if told(first) else second
    teller.page.evaluate("() => told[0].onclick()")
    teller.is_at(f"/chats/{chat}")
    teller.look_back()
    for tab in (first, second):
        expect(tab.badge(chat)).to_be_hidden()
        expect(tab.page).not_to_have_title("(")
    assert teller.page.evaluate("() => told[0].closed")


def test_the_open_chat_tells_as_well_once_nobody_looks(person, recorded):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = recorded(ada, f"/chats/{chat}")
    hers.until(lambda: hers.page.evaluate("() => document.hasFocus()"), "the focus")
    bob.say(chat, "seen")
    hers.shows("seen")
    hers.until(lambda: not ada.unread(chat), "the receipt")
    hers.look_away()
    bob.say(chat, "unseen")
    hers.until(lambda: told(hers) == ["Bob: unseen"], "the notification")


def test_what_is_told_is_chosen_in_the_settings_and_muted_chats_tell_nothing(person, recorded):
    ada, bob = person("Ada"), person("Bob")
    direct, group = ada.direct(bob), ada.group("Harvest", bob)
    muted = ada.group("Noise", bob)
    ada.call("PUT", f"/api/chats/{muted}/mute")
    hers = recorded(ada, "/settings")
    hers.dialog.get_by_label("Direct messages and mentions").check()
    hers.dialog.get_by_label("Play a sound").uncheck()
    hers.page.reload()
    hers.is_live()
    expect(hers.dialog.get_by_label("Direct messages and mentions")).to_be_checked()
    expect(hers.dialog.get_by_label("Play a sound")).not_to_be_checked()
    hers.look_away()
    bob.say(group, "for all")
    bob.say(muted, f"@{ada.username} in a muted chat")
    bob.say(group, f"and @{ada.username} alone")
    bob.say(direct, "direct")
    hers.until(lambda: len(told(hers)) == 2, "two notifications")
    assert told(hers) == [f"Bob in Harvest: and @{ada.username} alone", "Bob: direct"] and tones(hers) == 0


def test_permission_is_asked_quietly_after_a_message_came_unseen_and_never_before(person, recorded):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = recorded(ada, permission="default")
    prompt = hers.locator("#notify-prompt")
    bob.say(chat, "seen at once")
    expect(hers.badge(chat)).to_have_text("1")
    expect(prompt).to_be_hidden()
    hers.look_away()
    bob.say(chat, "unseen")
    expect(prompt).to_be_visible()
    hers.look_back()
    prompt.get_by_role("button", name="Turn on").click()
    expect(prompt).to_be_hidden()
    hers.look_away()
    bob.say(chat, "told")
    hers.until(lambda: told(hers) == ["Bob: told"], "the notification")


def test_who_does_not_want_to_be_told_is_not_asked_again(person, recorded):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = recorded(ada, permission="default")
    hers.look_away()
    bob.say(chat, "one")
    hers.locator("#notify-prompt").get_by_role("button", name="Not now").click()
    hers.page.reload()
    hers.is_live()
    hers.look_away()
    bob.say(chat, "two")
    expect(hers.badge(chat)).to_have_text("2")
    expect(hers.locator("#notify-prompt")).to_be_hidden()


def test_a_toast_leaves_the_buttons_of_the_header_free(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat, other = ada.direct(bob), ada.group("Harvest", bob)
    for options in ({}, {"viewport": {"width": 390, "height": 844}}):
        hers = window(ada, f"/chats/{chat}", **options)
        bob.say(other, "Apples")
        expect(hers.locator(".toast")).to_contain_text("Apples")
        hers.show_details()


# Tabs that agree


def test_what_is_read_in_one_tab_is_read_in_the_other_on_another_instance(parley, person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    first, second = [window(ada, at=instance.url) for instance in parley.instances]
    assert first.instances != second.instances
    second.look_away()
    bob.say(chat, "one", "two")
    for tab in (first, second):
        expect(tab.badge(chat)).to_have_text("2")
    first.open_chat(chat)
    expect(second.badge(chat)).to_be_hidden()
    expect(second.locator(".toast")).to_have_count(0)
    expect(second.page).to_have_title("Parley")


def test_theme_and_drafts_are_the_same_in_all_tabs(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    first = window(ada, f"/chats/{chat}", fresh=True)
    second, listed = window(ada, f"/chats/{chat}", beside=first), window(ada, beside=first)
    for tab in (second, listed):
        tab.look_away()
    first.field.fill("half a sentence")
    expect(second.field).to_have_value("half a sentence")
    expect(listed.row(chat)).to_contain_text("half a sentence")
    first.say("a whole one")
    expect(second.field).to_have_value("")
    second.shows("a whole one")
    expect(listed.row(chat)).not_to_contain_text("Draft")

    first.page.evaluate(
        "() => import('/static/js/ui/theme.js').then(({ chooseTheme }) => chooseTheme('dark', { set: (key, value) => localStorage.setItem(key, JSON.stringify(value)) }))"
    )
    for tab in (first, second):
        expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
