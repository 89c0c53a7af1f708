"""Releases of different age live together: a page beside instances that know less than it, or more.

The instances are real; what one of another release would say differently is put into the stream on its way.
"""

import json

import pytest
from playwright.sync_api import expect

NEWER = "  someLaterChannel: (state, { data }) => ({ ...state, pinned: data }),\n"  # a channel that no instance knows


class Between:
    """Stands between a page and its instance. `hello(frame)` may answer frames that refuse it; `frames(frame)` answers what the page gets instead."""

    def __init__(self, page):
        self.hellos, self.sockets = [], []
        self.hello = lambda frame: None
        self.frames = lambda frame: [frame]
        page.route_web_socket("**/ws", self._open)

    def _open(self, socket):
        server = socket.connect_to_server()
        self.sockets.append(socket)

        def asked(text):
            frame = json.loads(text)
            if frame["type"] == "hello":
                self.hellos.append(frame)
                if refusal := self.hello(frame):
                    socket.send(json.dumps(refusal))
                    socket.close(code=4400, reason="")
                    return
                known = ("unreadCountUpdated", "messageReadUpdated")  # all instances take these
                frame = {**frame, "channels": [name for name in frame.get("channels", known) if name in known]}
            server.send(json.dumps(frame))

        def answered(text):
            for frame in self.frames(json.loads(text)):
                socket.send(json.dumps(frame))

        socket.on_message(asked)
        server.on_message(answered)


@pytest.fixture
def talk(person, window):
    """`(ada, bob, chat, her window, what stands between)`; her page is not open yet."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, None, fresh=True)
    return ada, bob, chat, hers, Between(hers.page)


def with_a_newer_channel(page):
    """The page is of a release that has one channel more."""

    def answer(route):
        answered = route.fetch()
        text = answered.text()
        assert "const STATES = {\n" in text
        route.fulfill(response=answered, body=text.replace("const STATES = {\n", "const STATES = {\n" + NEWER))

    page.route("**/js/model/channel-reducers.js*", answer)


def first_release(between):
    """The instances refuse channels that they do not know, and say in their welcome neither version nor channels."""
    known = {"unreadCountUpdated", "messageReadUpdated", "chatMessageNotification", "messageUpdateForChatList"}

    def hello(frame):
        if unknown := set(frame.get("channels", ())) - known:
            message = f"There is no channel {min(unknown)!r}."
            return {"type": "error", "error": {"code": "invalid_value", "message": message, "field": "channels"}}

    def frames(frame):
        if frame["type"] == "welcome":
            frame = {name: value for name, value in frame.items() if name not in ("version", "channels")}
        return [frame]

    between.hello, between.frames = hello, frames


def newer_release(between):
    """The instances ignore channels that they do not know, and say their version and channels."""

    def frames(frame):
        if frame["type"] == "welcome":
            frame = {**frame, "version": "1.1.0", "channels": ["messageAdded", "someLaterChannel"]}
        return [frame]

    between.hello, between.frames = (lambda frame: None), frames


def test_a_page_that_asks_for_more_than_an_instance_knows_goes_on_with_what_it_knows_until_another_answers(talk):
    ada, bob, chat, hers, between = talk
    with_a_newer_channel(hers.page)
    first_release(between)
    hers.goto(f"/chats/{chat}").is_live()
    assert ["someLaterChannel" in hello.get("channels", ()) for hello in between.hellos] == [True, False]
    assert between.hellos[1]["presence"] is True
    bob.say(chat, "one")
    hers.shows("one")
    expect(hers.badge(chat)).to_be_hidden()

    newer_release(between)
    between.sockets[-1].close(code=1012, reason="")
    hers.until(lambda: len(between.hellos) == 3, "another hello")
    hers.is_live()
    assert "someLaterChannel" in between.hellos[2]["channels"]
    bob.say(chat, "two")
    hers.shows("one", "two")


def test_a_page_of_a_later_release_is_live_on_the_instances_as_they_are(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, None, fresh=True)
    with_a_newer_channel(hers.page)
    hers.goto(f"/chats/{chat}").is_live()
    bob.say(chat, "one")
    hers.shows("one")
    assert len(hers.instances) == 1


def test_a_page_that_polls_goes_on_with_what_an_instance_knows(talk):
    ada, bob, chat, hers, _ = talk
    hers.expects_no_network()
    with_a_newer_channel(hers.page)
    hers.page.route_web_socket("**/ws", lambda socket: socket.close())
    polls = []

    def poll(route):
        body = route.request.post_data_json
        polls.append(body)
        if "someLaterChannel" in body.get("channels", ()):
            error = {
                "code": "invalid_value",
                "message": "channels is not one of the known values.",
                "field": "channels",
            }
            return route.fulfill(status=400, json={"error": error})
        route.continue_()

    hers.page.route("**/api/sync", poll)
    hers.goto(f"/chats/{chat}")
    expect(hers.pill).to_have_text("Connected by polling")
    bob.say(chat, "by polling")
    hers.shows("by polling")
    assert ["channels" in body for body in polls[:2]] == [True, False]


def strange(frame):
    """What a newer instance may say besides, around what this one says; a message `pin …` has come as an event of an unknown channel."""
    more = {"timeline": 3, "tag": "9f"}
    if frame["type"] == "event" and frame["data"].get("content", "").startswith("pin"):
        frame = {
            **frame,
            "channel": "someLaterChannel",
            "data": {"messageId": frame["data"]["id"], "chatId": frame["chatId"]},
        }
    after = []
    if frame["type"] == "event":
        state = {"type": "state", "channel": "pinsUpdated", "chatId": frame["chatId"], "seq": frame["seq"], "data": {}}
        after = [state, {"type": "notice", "text": "A new release is here."}]
    return [{**frame, **more}, *after]


def test_what_a_page_does_not_know_disturbs_neither_its_stream_nor_its_replay(talk):
    ada, bob, chat, hers, between = talk
    between.frames = strange
    bob.say(chat, "zero")
    hers.goto(f"/chats/{chat}").is_live()
    hers.shows("zero")
    bob.say(chat, "one", "pin one", "two")
    hers.shows("zero", "one", "two")
    expect(hers.locator("#sync")).to_have_accessible_name("In sync · #5")
    assert len(between.hellos) == 1
    between.sockets[-1].close(code=1012, reason="")
    bob.say(chat, "pin two", "three")
    hers.shows("zero", "one", "two", "three")
    expect(hers.locator("#sync")).to_have_accessible_name("In sync · #7")
    assert between.hellos[-1]["cursors"] == {chat: 5}


def test_what_a_page_does_not_know_does_not_disturb_polling(talk):
    ada, bob, chat, hers, _ = talk
    hers.expects_no_network()
    hers.page.route_web_socket("**/ws", lambda socket: socket.close())

    def poll(route):
        answered = route.fetch()
        body = answered.json()
        route.fulfill(
            response=answered, json={**body, "items": [more for frame in body["items"] for more in strange(frame)]}
        )

    hers.page.route("**/api/sync", poll)
    bob.say(chat, "zero")
    hers.goto(f"/chats/{chat}")
    hers.shows("zero")  # the first page is loaded: what follows comes by polling only
    expect(hers.pill).to_have_text("Connected by polling")
    bob.say(chat, "one", "pin one", "two")
    hers.shows("zero", "one", "two")


def test_messages_of_a_newer_server_are_shown_as_far_as_this_page_can(talk):
    """A message may consist of a file, of a kind that this page has never heard of; deleted is what says so."""
    ada, bob, chat, hers, between = talk
    fields = {
        "file": {"content": "", "deletedAt": None, "attachments": [{"kind": "hologram", "name": "cat.holo"}]},
        "words": {"content": "See this", "deletedAt": None, "attachments": [{"kind": "hologram"}]},
        "strange": {"content": "", "deletedAt": None, "poll": {"options": 3}},
        "deleted": {"content": "", "deletedAt": "2026-11-23T10:12:00.123Z"},
    }

    def frames(frame):
        if frame["type"] == "event" and frame["data"].get("content") in fields:
            frame = {**frame, "data": {**frame["data"], **fields[frame["data"]["content"]]}}
        return [frame]

    between.frames = frames
    hers.goto(f"/chats/{chat}").is_live()
    bob.say(chat, *fields)
    hers.shows("cat.holo", "See thisAttachment", "This page cannot show this message", "Message deleted")
    expect(hers.locator(".message[data-deleted]")).to_have_count(1)


def test_a_chat_of_an_unknown_type_is_shown_and_written_like_a_group(talk, person):
    ada, bob, chat, hers, _ = talk
    room = ada.group("The room", bob)

    def answer(route):
        answered = route.fetch()
        text = answered.text().replace('"chatType":"group"', '"chatType":"channel"')
        route.fulfill(response=answered, body=text)

    hers.page.route("**/api/chats*", answer)
    hers.page.route("**/api/chats/*", answer)
    hers.goto(f"/chats/{room}").is_live()
    bob.say(room, "from Bob")
    hers.shows("from Bob")
    hers.say("from her")
    hers.shows("from Bob", "from her")
    expect(hers.title).to_have_text("The room")
    expect(hers.locator(".message-author").first).to_have_text("Bob")
    hers.locator("#show-details").click()
    expect(hers.locator(".details-since")).to_contain_text("Chat since")
    expect(hers.locator("#add-people")).to_have_count(0)
