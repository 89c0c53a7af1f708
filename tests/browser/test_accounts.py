"""Signing up, in and out in the browser."""

import re

from playwright.sync_api import expect

from tests.browser.person import PASSWORD


def test_a_stranger_signs_up_signs_out_and_signs_in_again(person, window):
    person("Ada")  # who owns the server
    stranger = window(path="/")
    stranger.is_at("/sign-in")
    stranger.get_by_role("link", name="Create an account").click()
    stranger.get_by_label("Your name").fill("Grace Hopper")
    stranger.get_by_label("Username").fill("grace")
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_role("button", name="Create account").click()
    stranger.is_at("/")
    expect(stranger.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()
    stranger.is_live()

    stranger.locator("#you").click()
    stranger.get_by_role("button", name="Sign out").click()
    stranger.is_at("/sign-in")
    stranger.goto("/")
    stranger.is_at("/sign-in")

    stranger.sign_in("grace", PASSWORD)
    stranger.is_at("/")
    stranger.is_live()
    stranger.page.reload()
    expect(stranger.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()


def test_a_wrong_password_is_said_and_can_be_mended(person, window):
    ada = person("Ada")
    stranger = window(path="/sign-in")
    stranger.expects("status of 401")
    stranger.sign_in(ada.username, "not the password")
    expect(stranger.get_by_role("alert")).to_have_text(
        re.compile("(name|password).*wrong|wrong.*(name|password)", re.I)
    )
    expect(stranger.get_by_label("Username")).to_have_value(ada.username)
    stranger.sign_in(ada.username, PASSWORD)
    stranger.is_at("/")


def test_what_is_missing_or_taken_is_said_beside_its_field(person, window):
    ada = person("Ada")
    stranger = window(path="/sign-up")
    stranger.expects("status of 4(09|00)")
    create = stranger.get_by_role("button", name="Create account")
    create.click()
    expect(stranger.locator("#username-error")).not_to_be_empty()
    stranger.get_by_label("Username").fill(ada.username.upper())
    stranger.get_by_label("Password", exact=True).fill("short")
    create.click()
    expect(stranger.locator("#password-error")).not_to_be_empty()
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    create.click()
    expect(stranger.locator("#username-error")).to_contain_text(re.compile("taken|in use", re.I))
    expect(stranger.locator("#password-error")).to_be_empty()


def test_a_link_to_a_chat_leads_there_after_signing_in(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ada.say(chat, "you were sent a link")
    stranger = window(path=f"/chats/{chat}")
    stranger.is_at(f"/sign-in?next=%2Fchats%2F{chat}")
    stranger.sign_in(bob.username, PASSWORD)
    stranger.is_at(f"/chats/{chat}")
    stranger.shows("you were sent a link")


def test_signing_out_in_one_tab_takes_the_other_to_the_sign_in_page_which_keeps_its_draft(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    writing = window(ada, f"/chats/{chat}")
    writing.shows()
    writing.field.press_sequentially("half a thought")
    leaving = window(ada, beside=writing)
    leaving.locator("#you").click()
    leaving.get_by_role("button", name="Sign out").click()
    leaving.is_at("/sign-in")
    writing.is_at(f"/sign-in?next=%2Fchats%2F{chat}")
    writing.sign_in(ada.username, PASSWORD)
    writing.is_at(f"/chats/{chat}")
    expect(writing.field).to_have_value("half a thought")


def test_too_many_attempts_are_waited_out_with_a_countdown(person, window):
    ada = person("Ada")
    stranger = window(path="/sign-in")
    stranger.expects("status of 4(01|29)")
    stranger.page.clock.install()
    button = stranger.get_by_role("button", name="Sign in")
    alert = stranger.get_by_role("alert")
    for _ in range(10):
        with stranger.page.expect_response("**/api/sign-in"):
            stranger.sign_in(ada.username, "not the password")
        expect(button).to_be_enabled()
    stranger.sign_in(ada.username, PASSWORD)
    expect(alert).to_have_text(re.compile(r"Too many attempts\. Try again in [0-4]:\d\d minutes\."))
    expect(button).to_be_disabled()
    stranger.page.clock.fast_forward("04:30")
    expect(alert).to_have_text(re.compile(r"Try again in [1-3]?\d seconds?\."))
    stranger.page.clock.fast_forward("00:31")
    expect(alert).to_be_hidden()
    expect(button).to_be_enabled()


def test_a_password_can_be_looked_at_and_caps_lock_is_told(window, person):
    person("Ada")
    stranger = window(path="/sign-up")
    field = stranger.get_by_label("Password", exact=True)
    field.fill(PASSWORD)
    stranger.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    stranger.get_by_role("button", name="Hide password").click()
    expect(field).to_have_attribute("type", "password")
    caps = "(on) => document.querySelector('#password').dispatchEvent(new KeyboardEvent('keydown', {key: 'A', modifierCapsLock: on}))"
    note = stranger.get_by_text("Caps Lock is on.")
    stranger.page.evaluate(caps, True)
    expect(note).to_be_visible()
    stranger.page.evaluate(caps, False)
    expect(note).to_be_hidden()
