"""Connections that break, instances that die, and networks without WebSockets: what is on the screen is what the server has."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def talk(person, window):
    """`(ada, bob, chat, her window, his window)`, the chat open in both, through nginx."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers, his = window(ada, f"/chats/{chat}"), window(bob, f"/chats/{chat}")
    for one in (hers, his):
        one.shows()
        one.expects_no_network()
    return ada, bob, chat, hers, his


@pytest.fixture
def whole(parley):
    """Whatever the test has killed is there again for the next one."""
    yield
    parts = [parley.postgres, *parley.parts]
    for part in parts:
        if not part.alive:
            part.start()
    for part in parts:
        part.wait_until_ready()


def instance_of(parley, window):
    """The instance that a window's socket is connected to."""
    return next(one for one in parley.instances if one.name == window.instances[-1])


def test_when_its_instance_is_killed_the_page_goes_on_with_the_other_and_nothing_is_missed_or_doubled(
    parley, talk, whole
):
    ada, bob, chat, hers, his = talk
    bob.say(chat, "before")
    hers.say("from her before")
    hers.shows("before", "from her before")
    victim = instance_of(parley, hers)
    victim.kill()
    hers.say("written into the breach", "and this")
    bob.say(chat, "while she was away", "and more")
    hers.until(lambda: hers.instances[-1] != victim.name, "the greeting of the other instance")
    hers.is_live()
    expect(hers.locator('.message:not([data-status="stored"])')).to_have_count(0)
    bob.say(chat, "afterwards")
    for one in (hers, his):
        expect(one.bubbles).to_have_count(7)
        expect(one.bubbles.last).to_have_text("afterwards")
        one.shows(*ada.texts(chat))
    assert sorted(ada.texts(chat)) == sorted(
        [
            "before",
            "from her before",
            "written into the breach",
            "and this",
            "while she was away",
            "and more",
            "afterwards",
        ]
    )


def test_a_deploy_is_hardly_noticed(parley, talk, whole):
    """The instance drains: its clients are told, come back elsewhere, and see no more of it than a moment's pause."""
    ada, bob, chat, hers, his = talk
    leaving = instance_of(parley, hers)
    texts = []
    for step in (leaving.stop, leaving.start):
        texts.append(f"message {len(texts)}")
        hers.say(texts[-1])
        step()
        texts.append(f"message {len(texts)}")
        bob.say(chat, texts[-1])
    hers.is_live()
    assert hers.instances[-1] != leaving.name
    for one in (hers, his):
        one.shows(*texts)
    assert ada.texts(chat) == texts


def test_the_chat_goes_on_between_instances_while_valkey_is_dead(parley, person, window, whole):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers, his = [window(one, f"/chats/{chat}", at=at.url) for one, at in zip((ada, bob), parley.instances, strict=True)]
    hers.say("before")
    his.shows("before")
    parley.valkey.kill()
    hers.say("Valkey is dead")
    his.shows("before", "Valkey is dead")
    his.say("and nobody notices")
    hers.shows("before", "Valkey is dead", "and nobody notices")
    hers.act("Valkey is dead", "delete")
    hers.confirm()
    his.shows("before", "Message deleted", "and nobody notices")
    parley.valkey.start()
    hers.say("it is back")
    for one in (hers, his):
        one.shows("before", "Message deleted", "and nobody notices", "it is back")
        expect(one.pill).to_be_hidden()


def test_what_is_written_while_postgresql_is_dead_is_stored_once_it_is_back(parley, talk, whole):
    ada, _, chat, hers, his = talk
    hers.say("before")
    his.shows("before")
    parley.postgres.kill()
    hers.say("kept for later", "and this")
    expect(hers.message("kept for later")).to_have_attribute("data-status", "failed")
    hers.shows("before", "kept for later", "and this")
    parley.postgres.start()
    for one in (hers, his):
        one.shows("before", "kept for later", "and this")
    expect(hers.locator('.message:not([data-status="stored"])')).to_have_count(0)
    assert ada.texts(chat) == ["before", "kept for later", "and this"]


def test_after_a_longer_interruption_the_pill_says_since_when_and_then_what_was_missed(talk):
    _, bob, chat, hers, _ = talk
    hers.page.context.set_offline(True)
    expect(hers.pill).to_have_text(re.compile(r"^Offline: last in sync \d\d:\d\d$"))
    bob.say(chat, "one", "two")
    hers.page.context.set_offline(False)
    expect(hers.pill).to_have_text("Caught up: 2 messages")
    hers.shows("one", "two")
    expect(hers.pill).to_be_hidden()


@pytest.fixture
def gate(person, window):
    """`(ada, bob, chat, her window, gate)`; while `gate["shut"]`, no WebSocket of hers gets through."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, None, fresh=True)
    hers.expects_no_network()
    gate = {"shut": True, "open": []}

    def answer(socket):
        if gate["shut"]:
            socket.close()
        else:
            socket.connect_to_server()
            gate["open"].append(socket)

    hers.page.route_web_socket("**/ws", answer)
    hers.goto(f"/chats/{chat}")
    return ada, bob, chat, hers, gate


def test_without_websockets_messages_come_by_polling_and_by_a_socket_as_soon_as_there_is_one(gate):
    ada, bob, chat, hers, gate = gate
    expect(hers.pill).to_have_text("Connected by polling")
    bob.say(chat, "one")
    expect(hers.bubbles).to_have_text(["one"], timeout=8_000)
    hers.say("two")
    hers.shows("one", "two")
    hers.until(lambda: ada.texts(chat) == ["one", "two"], "the server has it")

    gate["shut"] = False
    hers.page.evaluate("() => dispatchEvent(new Event('online'))")  # or by itself within 15 s
    expect(hers.pill).to_have_attribute("data-phase", "live")
    expect(hers.pill).to_be_hidden()
    bob.say(chat, "three")
    hers.shows("one", "two", "three")


def test_a_socket_that_breaks_and_is_not_allowed_back_gives_way_to_polling(gate, person):
    ada, bob, chat, hers, gate = gate
    gate["shut"] = False
    hers.page.reload()
    hers.is_live()
    gate["shut"] = True
    gate["open"][-1].close()
    cem = person("Cem")
    other = cem.direct(ada)
    expect(hers.pill).to_have_text("Connected by polling")
    ids = bob.say(chat, "by polling")
    hers.shows("by polling")
    bob.call("PATCH", f"/api/messages/{ids[0]}", {"content": "edited by polling"})
    cem.say(other, "and in another chat")
    hers.shows("edited by polling")
    expect(hers.row(other)).to_contain_text("and in another chat")
    expect(hers.badge(other)).to_have_text("1")
    expect(hers.locator(".toast")).to_contain_text("and in another chat")


def test_after_half_a_minute_the_pill_is_red_and_trying_again_is_a_click(gate):
    _, bob, chat, hers, gate = gate
    hers.page.clock.install()
    gate["shut"] = False
    hers.page.reload()
    hers.is_live()
    gate["shut"] = True
    hers.page.route("**/api/sync", lambda route: route.abort())
    gate["open"][-1].close()
    expect(hers.pill).to_have_text(re.compile(r"^Reconnecting… last in sync \d\d:\d\d$"))
    expect(hers.pill).to_have_attribute("data-tone", "warning")
    hers.page.clock.pause_at(hers.page.evaluate("Date.now()") + 31_000)  # so that it does not try by itself
    expect(hers.pill).to_have_attribute("data-tone", "bad")
    expect(hers.pill).to_have_text(re.compile(r"^No connection: last in sync \d\d:\d\dRetry now$"))
    bob.say(chat, "meanwhile")
    gate["shut"] = False
    sockets = len(gate["open"])
    hers.get_by_role("button", name="Retry now").click()
    hers.until(lambda: len(gate["open"]) > sockets, "another socket")
    hers.page.clock.resume()
    expect(hers.pill).to_have_text("Caught up: 1 message")
    hers.shows("meanwhile")


def test_a_small_dot_says_how_far_the_chat_is_in_sync(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, f"/chats/{chat}")
    dot = hers.locator("#sync")
    expect(dot).to_have_accessible_name("In sync · #1")
    expect(dot.locator(".sync-text")).to_be_hidden()
    bob.say(chat, "two", "three")
    expect(dot).to_have_accessible_name("In sync · #3")
    dot.focus()
    hers.page.keyboard.press("Shift+Tab")
    hers.page.keyboard.press("Tab")
    expect(dot.locator(".sync-text")).to_be_visible()
