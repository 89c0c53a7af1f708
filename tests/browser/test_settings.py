"""The settings in the browser: name, password, theme, and where one is signed in."""

import re

from playwright.sync_api import expect

from tests.browser.person import PASSWORD


def settings(window):
    """Opens the settings as people do."""
    window.locator("#you").click()
    window.get_by_role("button", name="Settings").click()
    dialog = window.locator("#settings")
    expect(dialog.get_by_role("heading", name="Settings")).to_be_visible()
    return dialog


def test_a_new_name_is_shown_at_once_and_after_a_reload_and_to_others(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    his = window(bob, f"/chats/{chat}")
    expect(his.title).to_have_text("Ada")
    hers = window(ada, f"/chats/{chat}")
    dialog = settings(hers)
    dialog.get_by_label("Your name").fill("  ")
    dialog.get_by_role("button", name="Save name").click()
    expect(dialog.locator(".field-error").first).to_have_text("Please fill this in.")
    dialog.get_by_label("Your name").fill("Countess of Lovelace")
    dialog.get_by_role("button", name="Save name").click()
    expect(dialog.get_by_text("Saved")).to_be_visible()
    hers.keyboard.press("Escape")
    hers.is_at(f"/chats/{chat}")  # it goes back there, and a reload before that would be called off
    expect(hers.locator("#you")).to_have_accessible_name("Countess of Lovelace: your account")
    hers.page.reload()
    expect(hers.locator("#you")).to_have_accessible_name("Countess of Lovelace: your account")
    his.page.reload()
    expect(his.title).to_have_text("Countess of Lovelace")


def test_others_see_a_new_name_without_a_reload_when_they_look_again_and_when_its_owner_writes(person, window):
    ada, bob = person("Ada"), person("Bob")
    direct, group = ada.direct(bob), ada.group("Choir", bob)
    ada.say(group, "Rehearsal at eight, @" + bob.username)
    his = window(bob, path=None, fresh=True)
    his.page.clock.install()
    his.goto(f"/chats/{group}").is_live()
    expect(his.locator("#messages .message-author")).to_have_text("Ada")
    expect(his.row(direct)).to_contain_text("Ada")

    # He looks elsewhere and comes back.
    ada.call("PATCH", "/api/me", {"displayName": "Countess"})
    his.look_away()
    his.page.clock.fast_forward("00:40")
    his.look_back()
    for place in (his.locator("#messages .message-author"), his.row(direct), his.row(group)):
        expect(place).to_contain_text("Countess")

    # He looks on, and she writes.
    ada.call("PATCH", "/api/me", {"displayName": "Lady Lovelace"})
    his.page.clock.fast_forward("00:40")
    his.is_live()
    ada.say(group, "At nine")
    expect(his.locator("#messages .message-author").first).to_have_text("Lady Lovelace")
    expect(his.row(direct)).to_contain_text("Lady Lovelace")


def test_the_settings_have_an_address_and_leave_the_chat_where_it_was(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ada.say(chat, "here")
    hers = window(ada, f"/chats/{chat}")
    hers.shows("here")
    dialog = settings(hers)
    hers.is_at("/settings")
    hers.page.go_back()
    expect(dialog).to_have_count(0)
    hers.is_at(f"/chats/{chat}")
    hers.shows("here")
    hers.page.go_forward()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    hers.is_at(f"/chats/{chat}")
    hers.shows("here")
    hers.goto("/settings")
    expect(dialog).to_be_visible()
    hers.keyboard.press("Escape")
    hers.is_at("/")


def test_a_new_password_signs_out_the_other_devices_and_is_the_one_that_counts(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada)
    hers.expects("status of 40[13]")
    elsewhere = window(path="/sign-in", fresh=True)
    elsewhere.expects("status of 401")
    elsewhere.sign_in(ada.username, PASSWORD)
    elsewhere.is_at("/")
    elsewhere.is_live()
    dialog = settings(hers)
    expect(dialog.locator("[data-session-id]")).to_have_count(2)
    dialog.get_by_label("Current password").fill("not the password")
    dialog.get_by_label("New password").fill("another long password")
    dialog.get_by_role("button", name="Change password").click()
    expect(dialog.locator("#settings-password .field-error").first).to_have_text("The current password is wrong.")
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_role("button", name="Change password").click()
    expect(dialog.get_by_text("Changed")).to_be_visible()
    expect(dialog.locator("[data-session-id]")).to_have_count(1)
    # The other device is asked to sign in again, and goes on.
    asked = elsewhere.locator("#session-ended")
    asked.get_by_label("Password", exact=True).fill(PASSWORD)
    asked.get_by_role("button", name="Sign in").click()
    expect(asked.get_by_role("alert")).to_contain_text("wrong")
    asked.get_by_label("Password", exact=True).fill("another long password")
    asked.get_by_role("button", name="Sign in").click()
    expect(asked).to_have_count(0)
    bob.say(chat, "still here?")
    expect(elsewhere.row(chat)).to_contain_text("still here?")


def test_each_other_session_can_be_signed_out_and_this_one_is_marked(person, window):
    ada = person("Ada")
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
    other = window(path="/sign-in", user_agent=phone)
    other.expects("status of 401")
    other.sign_in(ada.username, PASSWORD)
    other.is_at("/")
    other.is_live()
    hers = window(ada)
    dialog = settings(hers)
    rows = dialog.locator("[data-session-id]")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("This device")
    expect(rows.nth(1)).to_contain_text("Safari on iPhone")
    dialog.get_by_role("button", name="Sign out Safari on iPhone").click()
    hers.locator("[data-confirm]").click()
    expect(rows).to_have_count(1)
    expect(dialog.get_by_role("button", name="Sign out everywhere else")).to_be_hidden()
    expect(other.locator("#session-ended")).to_be_visible()


def test_what_cannot_be_loaded_is_said_and_can_be_tried_again(person, window):
    hers = window(person("Ada"))
    hers.expects_no_network()
    hers.page.route("**/api/sessions?*", lambda route: route.abort())
    dialog = settings(hers)
    expect(dialog.get_by_text(re.compile("Your sessions could not be loaded"))).to_be_visible()
    hers.page.unroute_all()
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.locator("[data-session-id]")).to_have_count(1)
