"""What is written while the network fails: on the screen at once, kept, and stored exactly once in the end."""

import json
import re

import pytest
from playwright.sync_api import expect

SENDING = "**/api/chats/*/messages"


@pytest.fixture
def talk(parley, person, window):
    """`(ada, chat, her window, the other's window)`, through different instances."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers, his = [window(one, f"/chats/{chat}", at=at.url) for one, at in zip((ada, bob), parley.instances, strict=True)]
    hers.shows()
    his.shows()
    hers.expects_no_network()
    return ada, chat, hers, his


def on_sending(window, handler):
    """Hands the requests that send a message to `handler(route)`; others pass."""
    window.page.route(SENDING, lambda route: handler(route) if route.request.method == "POST" else route.continue_())


def settled(window):
    """Waits until nothing is waiting to be sent."""
    expect(window.locator('#messages .message:not([data-status="stored"])')).to_have_count(0)
    window.page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.startsWith('parley.outbox.'))")


def test_messages_written_offline_show_at_once_and_are_sent_once_in_their_order(talk):
    ada, chat, hers, his = talk
    hers.page.context.set_offline(True)
    hers.say("one", "two", "three")
    hers.shows("one", "two", "three")
    expect(hers.pill).to_have_text(re.compile(r"Offline: last in sync \d\d:\d\d"))
    his.say("while you were away")
    his.until(lambda: ada.texts(chat) == ["while you were away"], "stored")
    hers.page.context.set_offline(False)
    for one in (hers, his):
        one.shows("while you were away", "one", "two", "three")
    settled(hers)
    expect(hers.pill).to_have_attribute("data-phase", "live")
    assert ada.texts(chat) == ["while you were away", "one", "two", "three"]


def test_a_message_whose_answer_is_lost_is_asked_for_again_with_the_same_key_and_appears_once(talk):
    ada, chat, hers, his = talk
    keys = []

    def lose_the_first_answer(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            assert route.fetch().status == 201
            route.abort("connectionreset")
        else:
            route.continue_()

    on_sending(hers, lose_the_first_answer)
    hers.say("only once")
    his.shows("only once")
    hers.until(lambda: len(keys) == 2, "the second attempt")
    assert keys[0] == keys[1]
    settled(hers)
    hers.shows("only once")
    hers.say("and on")
    hers.shows("only once", "and on")
    his.shows("only once", "and on")
    assert ada.texts(chat) == ["only once", "and on"]


@pytest.mark.parametrize("stream", ["before the request fails", "after it"])
def test_a_lost_answer_never_shows_the_message_twice(person, window, stream):
    """One bubble, as an eye that sees every frame can tell, whenever the stream brings the message back."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, None, fresh=True)
    hers.expects_no_network()
    held, sockets = [], []

    def hold(socket):
        server = socket.connect_to_server()
        sockets.append(socket)
        server.on_message(
            lambda frame: held.append(frame) if "not twice" in frame and stream == "after it" else socket.send(frame)
        )

    hers.page.route_web_socket("**/ws", hold)
    hers.goto(f"/chats/{chat}").is_live().shows()
    hers.page.evaluate(
        """() => {
          const list = document.querySelector("#messages");
          const look = () => (window.most = Math.max(window.most ?? 0, list.querySelectorAll(".message").length));
          new MutationObserver(look).observe(list, { childList: true });
        }"""
    )
    row = hers.message("not twice")
    attempts = []

    def lose_the_first_answer(route):
        attempts.append(route)
        if len(attempts) > 1:
            return route.continue_()
        route.fetch()
        if stream != "after it":
            expect(row).to_have_attribute("data-message-id", re.compile("."))
        route.abort("connectionreset")

    on_sending(hers, lose_the_first_answer)
    hers.say("not twice")
    if stream == "after it":
        expect(row).to_have_attribute("data-status", "failed")
        hers.until(lambda: held, "the stream's frame")
        sockets[-1].send(held.pop(0))
    settled(hers)
    assert len(attempts) == 2
    assert hers.page.evaluate("() => window.most") == 1


def test_an_unsent_message_survives_a_reload_and_is_sent_once(talk):
    ada, chat, hers, his = talk
    on_sending(hers, lambda route: route.abort("internetdisconnected"))
    hers.say("kept in the browser", "and this one")
    hers.shows("kept in the browser", "and this one")
    hers.page.reload()
    hers.shows("kept in the browser", "and this one")
    assert ada.texts(chat) == []
    hers.page.unroute(SENDING)
    hers.page.reload()
    hers.shows("kept in the browser", "and this one")
    his.shows("kept in the browser", "and this one")
    settled(hers)
    assert ada.texts(chat) == ["kept in the browser", "and this one"]


def test_a_refused_message_stays_until_it_is_sent_again_or_given_up(talk):
    ada, chat, hers, his = talk
    refusal = {"error": {"code": "invalid_value", "message": "The server does not like it.", "field": "content"}}
    on_sending(hers, lambda route: route.fulfill(status=400, content_type="application/json", body=json.dumps(refusal)))
    hers.say("refused", "refused as well")
    for text in ("refused", "refused as well"):
        expect(hers.message(text).get_by_role("alert")).to_contain_text("Not sent: The server does not like it.")
    hers.page.unroute(SENDING)
    hers.message("refused as well").get_by_role("button", name="Delete").click()
    hers.message("refused").get_by_role("button", name="Retry").click()
    hers.shows("refused")
    his.shows("refused")
    settled(hers)
    assert ada.texts(chat) == ["refused"]


def test_two_tabs_that_have_the_same_message_to_send_make_one_of_it(talk, window):
    ada, chat, hers, his = talk
    context = hers.page.context
    context.route(SENDING, lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    hers.say("once")
    expect(hers.message("once")).to_have_attribute("data-status", "failed")
    beside = window(ada, f"/chats/{chat}", at=hers.url, beside=hers)
    beside.expects_no_network()
    expect(beside.message("once")).to_be_visible()
    context.set_offline(True)
    for one in (hers, beside):
        expect(one.pill).to_have_attribute("data-phase", "offline")
    context.unroute_all()
    sent = []

    def slowly(route):
        if route.request.method == "POST":
            sent.append(route.request.headers["idempotency-key"])
            hers.page.wait_for_timeout(300)
        route.continue_()

    context.route(SENDING, slowly)
    context.set_offline(False)
    for one in (hers, beside):
        settled(one)
        one.shows("once")
    his.shows("once")
    # Mostly one request: what one tab takes out of the storage, the other sees a moment later.
    assert len(set(sent)) == 1


def test_a_refused_message_is_taken_back_into_the_field_before_what_is_being_written(talk):
    ada, chat, hers, _ = talk
    refusal = {"error": {"code": "invalid_value", "message": "No.", "field": "content"}}
    on_sending(hers, lambda route: route.fulfill(status=400, content_type="application/json", body=json.dumps(refusal)))
    hers.say("nearly right")
    hers.field.fill("meanwhile")
    hers.message("nearly right").get_by_role("button", name="Edit").click()
    hers.shows()
    expect(hers.field).to_be_focused()
    expect(hers.field).to_have_value("nearly right\nmeanwhile")
    hers.page.unroute(SENDING)
    hers.field.fill("right")
    hers.field.press("Enter")
    settled(hers)
    assert ada.texts(chat) == ["right"]


def test_what_is_not_sent_survives_a_reload_with_its_reason(talk):
    _, _, hers, _ = talk
    refusal = {"error": {"code": "invalid_value", "message": "Not today.", "field": "content"}}
    on_sending(hers, lambda route: route.fulfill(status=400, content_type="application/json", body=json.dumps(refusal)))
    hers.say("kept")
    expect(hers.message("kept").get_by_role("alert")).to_contain_text("Not sent: Not today. · Retry · Edit · Delete")
    hers.page.reload()
    expect(hers.message("kept").get_by_role("alert")).to_contain_text("Not sent: Not today. · Retry · Edit · Delete")


def test_too_fast_is_counted_down_and_sent_again_by_itself(talk):
    ada, chat, hers, his = talk
    refusal = {"error": {"code": "too_fast", "message": "Slow down.", "field": None}}
    keys = []

    def once_too_fast(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.continue_()
        route.fulfill(
            status=429, headers={"Retry-After": "5"}, content_type="application/json", body=json.dumps(refusal)
        )

    on_sending(hers, once_too_fast)
    hers.say("in a hurry", "and another")
    note = hers.message("in a hurry").get_by_role("alert")
    expect(note).to_contain_text(re.compile("Too fast: sent again in [345] s"))
    expect(note).to_contain_text(re.compile("Too fast: sent again in [012] s"))
    his.shows("in a hurry", "and another")
    settled(hers)
    assert keys[0] == keys[1]
    assert ada.texts(chat) == ["in a hurry", "and another"]


def test_without_a_connection_the_field_says_when_it_will_be_sent_and_the_bubble_too(talk):
    ada, chat, hers, his = talk
    hers.page.context.set_offline(True)
    note = hers.locator("#composer-note")
    expect(note).to_have_text("Not connected: will send when connected")
    expect(hers.field).to_be_enabled()
    hers.say("into the tunnel")
    expect(hers.message("into the tunnel").get_by_role("alert")).to_contain_text("Will be sent when connected")
    expect(hers.message("into the tunnel").locator(".receipt")).to_have_attribute(
        "data-state", "sending"
    )  # a clock, and no alarm
    hers.page.context.set_offline(False)
    his.shows("into the tunnel")
    settled(hers)
    expect(note).to_be_empty()
    assert ada.texts(chat) == ["into the tunnel"]
