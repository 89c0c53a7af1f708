"""Messages on the screen: changing and deleting them, who has read them, what is unread, and the way back through them."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def talk(parley, person, window):
    """`(ada, bob, chat, her window, his window)`, the chat open in both, through different instances."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    windows = [window(one, f"/chats/{chat}", at=at.url) for one, at in zip((ada, bob), parley.instances, strict=True)]
    for one in windows:
        one.shows()
    return ada, bob, chat, *windows


def test_an_edited_message_changes_in_place_for_both(talk):
    ada, _, chat, hers, his = talk
    hers.say("Se you at nine", "And bring cake")
    his.shows("Se you at nine", "And bring cake")
    hers.act("Se you at nine", "edit")
    editor = hers.get_by_label("Edit message")
    expect(editor).to_be_focused()
    editor.fill("See you at nine")
    editor.press("Enter")
    for one in (hers, his):
        one.shows("See you at nine", "And bring cake")
        expect(one.message("See you at nine")).to_contain_text("(edited)")
        expect(one.message("And bring cake")).not_to_contain_text("(edited)")
    assert ada.texts(chat) == ["See you at nine", "And bring cake"]


def test_escape_leaves_the_message_as_it_was(talk):
    ada, _, chat, hers, _ = talk
    hers.say("As it was")
    expect(hers.message("As it was")).to_have_attribute("data-status", "stored")
    hers.field.press("ArrowUp")
    editor = hers.get_by_label("Edit message")
    expect(editor).to_be_focused()
    editor.fill("Something else")
    editor.press("Escape")
    hers.shows("As it was")
    expect(hers.field).to_be_focused()
    assert ada.texts(chat) == ["As it was"]


def test_a_deleted_message_leaves_a_tombstone_for_both_also_after_a_reload(talk):
    ada, _, chat, hers, his = talk
    hers.say("A secret", "Never mind")
    his.shows("A secret", "Never mind")
    hers.act("A secret", "delete")
    hers.confirm()
    for one in (hers, his):
        one.shows("Message deleted", "Never mind")
    his.page.reload()
    his.shows("Message deleted", "Never mind")
    assert "A secret" not in his.page.content()
    assert ada.texts(chat) == ["", "Never mind"]


def test_nobody_is_offered_to_change_what_others_wrote(talk):
    _, _, _, hers, his = talk
    hers.say("Mine")
    names = [item.get_attribute("data-action") for item in his.open_menu("Mine").get_by_role("menuitem").all()]
    assert names == ["reply", "copy", "link", "reads"]
    expect(his.message("Mine").locator('.message-actions [data-action="edit"]')).to_have_count(0)


def test_a_message_is_ticked_when_stored_and_twice_when_read_and_says_by_whom_and_when(talk):
    _, bob, _, hers, his = talk
    his.look_away()
    hers.say("Read me")
    receipt = hers.message("Read me").locator(".receipt")
    expect(receipt).to_have_attribute("data-state", "stored")
    his.shows("Read me")
    receipt.click()
    expect(hers.dialog).to_contain_text("Nobody has read this yet")
    his.look_back()
    expect(receipt).to_have_attribute("data-state", "read")
    expect(hers.dialog.locator(f'[data-user-id="{bob.id}"]')).to_contain_text(re.compile(r"Bob.*today at \d\d:\d\d"))
    hers.page.keyboard.press("Escape")
    expect(hers.dialog).to_have_count(0)


def test_in_a_group_it_is_said_how_many_have_read(person, window):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    chat = ada.group("Trio", bob, cem)
    (message,) = ada.say(chat, "Who is in?")
    hers = window(ada, f"/chats/{chat}")
    receipt = hers.message("Who is in?").locator(".receipt")
    expect(receipt).to_have_attribute("data-state", "stored")
    bob.read(message)
    expect(receipt).to_have_attribute("data-state", "partly")
    expect(receipt).to_have_accessible_name(re.compile("Read by 1 of 2"))
    cem.read(message)
    expect(receipt).to_have_attribute("data-state", "read")


def test_small_faces_stand_where_each_has_read_up_to(person, window):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    chat = ada.group("Trio", bob, cem)
    first, second = ada.say(chat, "one", "two")
    hers = window(ada, f"/chats/{chat}")
    hers.shows("one", "two")
    expect(hers.locator(".readers")).to_have_count(0)
    bob.read(first)
    faces = hers.message("one").locator(".readers")
    expect(faces).to_have_accessible_name("Read up to here by Bob. Show who and when")
    cem.read(second)
    bob.read(second)
    expect(faces).to_have_count(0)
    expect(hers.message("two").locator(".readers .avatar")).to_have_count(2)
    hers.message("two").locator(".readers").click()
    expect(hers.dialog.locator("[data-user-id]")).to_have_count(2)


def test_everybody_who_types_is_named(person, window):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    chat = ada.group("Trio", bob, cem)
    hers, his, theirs = [window(one, f"/chats/{chat}") for one in (ada, bob, cem)]
    theirs.shows()
    named = re.compile("^(Ada and Bob|Bob and Ada) are typing…$")

    def both_type():
        for one in (hers, his):
            one.field.press_sequentially("h")
        return named.search(theirs.locator("#typing").text_content())

    theirs.until(both_type, "both are named")
    expect(theirs.locator("#typing")).to_be_empty()


def test_typing_is_shown_to_the_other(talk):
    _, _, _, hers, his = talk
    hers.field.press_sequentially("hm")
    expect(his.locator("#typing")).to_have_text("Ada is typing…")
    hers.say("hm, yes")
    his.shows("hm, yes")
    expect(his.locator("#typing")).to_be_empty()


def test_unread_messages_are_counted_in_the_list_and_the_title_and_divided_from_the_read_ones(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    bob.read(ada.say(chat, "old news")[0])
    his = window(bob)
    expect(his.page).to_have_title("Parley")
    ada.say(chat, "one", "two", "three")
    expect(his.badge(chat)).to_have_text("3")
    expect(his.page).to_have_title("(3) Parley")

    his.open_chat(chat)
    expect(his.locator("#messages > li")).to_have_text(
        [
            re.compile("beginning"),
            "Today",
            re.compile("old news"),
            "New messages",
            *map(re.compile, ("one", "two", "three")),
        ]
    )
    expect(his.badge(chat)).to_be_hidden()
    expect(his.page).to_have_title("Ada · Parley")
    his.until(lambda: bob.unread(chat) == 0, "the server knows that they were read")


def test_what_comes_while_nobody_looks_is_unread_until_somebody_does(talk):
    ada, bob, chat, hers, his = talk
    his.look_away()
    hers.say("Bob?", "Bob!")
    his.shows("Bob?", "Bob!")
    expect(his.page).to_have_title("(2) Ada · Parley")
    expect(his.badge(chat)).to_have_text("2")
    expect(his.locator("#unread-divider + .message .message-text")).to_have_text("Bob?")
    assert bob.unread(chat) == 2
    his.look_back()
    expect(his.page).to_have_title("Ada · Parley")
    expect(hers.message("Bob!").locator(".receipt")).to_have_attribute("data-state", "read")
    assert bob.unread(chat) == 0


def test_escape_marks_a_long_chat_as_read(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ids = ada.say(chat, *[f"number {number}" for number in range(1, 81)])
    bob.read(ids[9])
    his = window(bob, f"/chats/{chat}")
    his.get_by_role("button", name="70 unread messages").click()
    expect(his.locator("#unread-divider")).to_be_in_viewport()
    ada.say(chat, "number 81")
    expect(his.locator("#jump")).to_have_text(re.compile(r"^\d+ new$"))
    assert bob.unread(chat) > 0
    his.page.keyboard.press("Escape")
    his.until(lambda: bob.unread(chat) == 0, "the server knows")
    expect(his.message("number 81")).to_be_in_viewport()
    expect(his.locator("#unread-divider")).to_have_count(0)
    expect(his.badge(chat)).to_be_hidden()


def test_a_growing_field_leaves_the_newest_message_in_view(talk):
    ada, _, chat, hers, _ = talk
    ada.say(chat, *[f"number {number}" for number in range(30)])
    expect(hers.message("number 29")).to_be_in_viewport()
    column = hers.page.viewport_size["height"]
    for _ in range(30):
        hers.field.press("Shift+Enter")
        hers.page.keyboard.type("x")
    assert abs(hers.field.bounding_box()["height"] - 0.4 * column) < 2
    expect(hers.message("number 29")).to_be_in_viewport(ratio=0.9)
    expect(hers.locator("#jump")).to_be_hidden()


def test_the_last_characters_are_counted_and_too_many_are_not_sent(talk):
    ada, _, chat, hers, _ = talk
    note = hers.locator("#composer-note")
    hers.field.fill("x" * 7100)
    expect(note).to_be_empty()
    hers.field.fill("😀" * 7998)
    expect(note).to_have_text("2 characters left")
    hers.field.fill("x" * 8001)
    expect(note).to_have_text("1 character too many")
    expect(hers.locator("#send")).to_be_disabled()
    hers.field.press("Enter")
    hers.shows()
    hers.field.press("Backspace")
    hers.field.press("Enter")
    hers.until(lambda: [len(text) for text in ada.texts(chat)] == [8000], "stored")


def test_two_tabs_of_one_person_agree(talk, window):
    ada, bob, chat, hers, his = talk
    second = window(bob, "/", at=his.url, beside=his)
    his.look_away()
    second.look_away()
    hers.say("For both tabs")
    his.shows("For both tabs")
    for tab in (his, second):
        expect(tab.badge(chat)).to_have_text("1")
    his.look_back()
    for tab in (his, second):
        expect(tab.badge(chat)).to_be_hidden()  # read here, read there
    second.look_back()
    second.open_chat(chat)
    his.say("Sent in one")
    second.shows("For both tabs", "Sent in one")
    second.say("Sent in the other")
    for tab in (his, second, hers):
        tab.shows("For both tabs", "Sent in one", "Sent in the other")
    assert second.locator(".toast").count() == 0


def test_the_history_is_loaded_upwards_and_what_is_read_stays_where_it_is(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    texts = [f"Message number {number}" + " and some more" * (number % 4) for number in range(1, 201)]
    bob.read(ada.say(chat, *texts)[-1])
    his = window(bob, f"/chats/{chat}")
    expect(his.bubbles.last).to_have_text(texts[-1])
    expect(his.bubbles.last).to_be_in_viewport()
    assert his.bubbles.count() < 120

    log = his.locator("#log")
    shown = his.bubbles.count()
    while shown < 200:
        # To the top, and in the same breath, before anything comes, where the first message then is.
        first, before = log.evaluate(
            """(log) => {
              log.scrollTop = 0;
              const row = log.querySelector(".message");
              return [row.dataset.key, row.getBoundingClientRect().top];
            }"""
        )
        expect(his.bubbles).not_to_have_count(shown)
        expect(log).to_have_attribute("aria-busy", "false")
        after = his.locator(f'.message[data-key="{first}"]').evaluate("(row) => row.getBoundingClientRect().top")
        assert abs(after - before) < 60  # the day's line above the first message goes
        shown = his.bubbles.count()
    his.shows(*texts)
    expect(his.locator(".messages-start")).to_be_attached()

    # While reading far up, a new message moves nothing.
    log.evaluate("(log) => (log.scrollTop = log.scrollHeight / 3)")
    jump = his.locator("#jump")
    expect(jump).to_be_visible()
    place = log.evaluate("(log) => log.scrollTop")
    ada.say(chat, "and one more")
    expect(jump).to_have_text("1 new")
    assert abs(log.evaluate("(log) => log.scrollTop") - place) <= 1
    jump.click()
    expect(his.message("and one more")).to_be_in_viewport()
    expect(jump).to_be_hidden()


def test_many_unread_messages_are_opened_at_the_first_of_them(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ids = ada.say(chat, *[f"number {number}" for number in range(1, 121)])
    bob.read(ids[9])
    his = window(bob)
    expect(his.badge(chat)).to_have_text("99+")
    his.open_chat(chat)
    his.get_by_role("button", name="110 unread messages").click()
    expect(his.message("number 11")).to_be_in_viewport()
    expect(his.locator("#unread-divider")).to_be_in_viewport()
    his.locator("#jump").click()
    expect(his.message("number 120")).to_be_in_viewport()
    expect(his.badge(chat)).to_be_hidden()
