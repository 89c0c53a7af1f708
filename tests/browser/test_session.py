"""The session ends while the page is open: one signs in again over it, and nothing of it is lost."""

import contextlib

import psycopg2
import pytest
from playwright.sync_api import expect

from tests.browser.person import PASSWORD


@pytest.fixture
def end_sessions(parley):
    """`end_sessions(ada)`: as an operator, or another device, would."""

    def end(person):
        with (
            contextlib.closing(psycopg2.connect(parley.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("update sessions set revoked_at = now() where user_id = %s", (person.id,))

    return end


def sign_in_again(window, username, password=PASSWORD):
    dialog = window.locator("#session-ended")
    dialog.get_by_label("Username").fill(username)
    dialog.get_by_label("Password", exact=True).fill(password)
    dialog.get_by_role("button", name="Sign in").click()
    return dialog


def test_draft_position_and_unsent_messages_stay_and_go_on(person, window, end_sessions):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    bob.say(chat, *[f"line {number}" for number in range(60)])
    hers = window(ada, f"/chats/{chat}")
    hers.expects("status of 401")
    expect(hers.message("line 59")).to_be_in_viewport()
    # Up in the history, with a message on its way and another half written.
    hers.page.route("**/messages", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    hers.expects_no_network()
    hers.say("on its way")
    hers.field.press_sequentially("half a thought")
    hers.message("line 20").scroll_into_view_if_needed()
    expect(hers.message("line 20")).to_be_in_viewport()
    end_sessions(ada)
    dialog = hers.locator("#session-ended")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Username")).to_have_value(ada.username)
    hers.page.unroute_all(behavior="ignoreErrors")
    dialog.evaluate("dialog => dialog.addEventListener('close', () => dialog.dataset.hasClosed = '')")
    for _ in range(3):
        hers.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    expect(dialog).not_to_have_attribute(
        "data-has-closed", ""
    )  # not for a moment: the page behind would have taken the next Escape
    bob.say(chat, "meanwhile")
    sign_in_again(hers, ada.username)
    expect(dialog).to_have_count(0)
    hers.is_at(f"/chats/{chat}")
    expect(hers.message("line 20")).to_be_in_viewport()
    expect(hers.field).to_have_value("half a thought")
    hers.until(lambda: bob.texts(chat)[60:] in (["meanwhile", "on its way"],), "the message that was on its way")
    expect(hers.message("meanwhile")).to_have_count(1)
    expect(hers.message("on its way")).to_have_count(1)


def test_a_message_that_was_refused_is_sent_once_when_one_is_back(person, window, end_sessions):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, f"/chats/{chat}")
    hers.expects("status of 401")
    hers.shows()
    keys = []

    def refuse_the_first(route):
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.continue_()
        end_sessions(ada)
        return route.fulfill(
            status=401, json={"error": {"code": "not_signed_in", "message": "Sign in first.", "field": None}}
        )

    hers.page.route("**/messages", refuse_the_first)
    hers.say("said at the end")
    sign_in_again(hers, ada.username)
    expect(hers.locator("#session-ended")).to_have_count(0)
    hers.until(lambda: bob.texts(chat) == ["said at the end"], "the message")
    expect(hers.message("said at the end")).to_have_attribute("data-status", "stored")
    assert len(set(keys)) == 1


def test_somebody_else_gets_a_page_of_their_own(person, window, end_sessions):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ada.say(chat, "ours")
    cleo = person("Cleo")
    hers = window(ada, f"/chats/{chat}", fresh=True)
    hers.expects("status of 40[14]")
    hers.shows("ours")
    hers.field.press_sequentially("hers alone")
    end_sessions(ada)
    expect(hers.locator("#session-ended")).to_be_visible()
    sign_in_again(hers, cleo.username)
    expect(hers.get_by_role("heading", name="This chat is not here")).to_be_visible()
    expect(hers.locator("#you")).to_have_accessible_name("Cleo: your account")
    expect(hers.get_by_text("ours")).to_have_count(0)


def test_signing_in_again_in_one_tab_lets_the_other_go_on(person, window, end_sessions):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    first = window(ada, f"/chats/{chat}", fresh=True)
    second = window(ada, f"/chats/{chat}", beside=first)
    for tab in (first, second):
        tab.expects("status of 401")
        tab.shows()
    end_sessions(ada)
    for tab in (first, second):
        expect(tab.locator("#session-ended")).to_be_visible()
    sign_in_again(second, ada.username)
    for tab in (first, second):
        expect(tab.locator("#session-ended")).to_have_count(0)
    bob.say(chat, "both of you")
    for tab in (first, second):
        tab.shows("both of you")
