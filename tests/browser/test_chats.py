"""Chats and who is in them, seen by people whose browsers are connected to different instances."""

import pytest
from playwright.sync_api import expect


@pytest.fixture
def there(parley):
    """The two instances' own addresses."""
    return [instance.url for instance in parley.instances]


def pick(window, *people):
    for someone in people:
        window.dialog.get_by_role("searchbox").fill(someone.username)
        window.dialog.locator(f'.person-button[data-user-id="{someone.id}"]').click()


def test_two_people_begin_a_chat_and_talk_through_two_instances(person, window, there):
    ada, bob = person("Ada"), person("Bob")
    hers, his = window(ada, at=there[0]), window(bob, at=there[1])
    assert (hers.instances, his.instances) == (["web.1"], ["web.2"])

    hers.get_by_role("button", name="New chat").click()
    pick(hers, bob)
    expect(hers.title).to_have_text("Bob")
    expect(hers.field).to_be_focused()
    chat = hers.page.url.rpartition("/")[2]

    expect(his.row(chat)).to_contain_text("Ada")
    his.open_chat(chat)
    hers.say("Hello Bob", "Are you there?")
    his.shows("Hello Bob", "Are you there?")
    his.say("I am")
    hers.shows("Hello Bob", "Are you there?", "I am")
    assert ada.texts(chat) == ["Hello Bob", "Are you there?", "I am"]


def test_choosing_somebody_again_opens_the_chat_that_is_there(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    his = window(bob)
    his.get_by_role("button", name="New chat").click()
    pick(his, ada)
    his.is_at(f"/chats/{chat}")
    expect(his.locator("#chats a")).to_have_count(1)


def test_a_group_grows_is_renamed_and_shrinks_before_everybodys_eyes(person, window, there):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    hers, his = window(ada, at=there[0]), window(bob, at=there[1])

    hers.get_by_role("button", name="New chat").click()
    hers.dialog.get_by_role("radio", name="Group").check()
    pick(hers, bob)
    hers.dialog.get_by_label("Name of the group").fill("Harvest")
    hers.dialog.get_by_role("button", name="Create group of 2").click()
    expect(hers.title).to_have_text("Harvest")
    chat = hers.page.url.rpartition("/")[2]
    hers.say("Apples on Saturday?")
    expect(his.row(chat)).to_contain_text("Apples on Saturday?")

    # Somebody joins, and can read what was said before.
    theirs = window(cem, at=there[1])
    hers.show_details()
    hers.get_by_role("button", name="Add people").click()
    pick(hers, cem)
    hers.dialog.get_by_role("button", name="Add", exact=True).click()
    expect(hers.details.get_by_role("heading", name="3 people")).to_be_visible()
    theirs.open_chat(chat)
    theirs.shows("Apples on Saturday?")

    # A new name and description, seen by all.
    hers.get_by_role("button", name="Edit name and description").click()
    hers.get_by_label("Name", exact=True).fill("Apple harvest")
    hers.get_by_label("Description").fill("Saturday, nine o'clock")
    hers.get_by_role("button", name="Save").click()
    for one in (hers, theirs):
        expect(one.title).to_have_text("Apple harvest")
        expect(one.locator("#chat-header")).to_contain_text("Saturday, nine o'clock")
    expect(his.row(chat)).to_contain_text("Apple harvest")

    # The owner removes somebody, who sees it at once and hears no more.
    hers.get_by_role("button", name="Remove Cem").click()
    hers.confirm()
    expect(theirs.get_by_role("heading", name="You are no longer in Apple harvest")).to_be_visible()
    expect(theirs.row(chat)).to_have_count(0)
    expect(hers.details.get_by_role("heading", name="2 people")).to_be_visible()
    hers.say("Cem cannot come")
    expect(his.row(chat)).to_contain_text("Cem cannot come")
    assert "Cem cannot come" not in theirs.page.content()

    # The owner leaves: somebody else owns it.
    hers.get_by_role("button", name="Leave chat").click()
    hers.confirm()
    expect(hers.row(chat)).to_have_count(0)
    his.open_chat(chat)
    his.show_details()
    expect(his.details.get_by_role("heading", name="1 person")).to_be_visible()
    expect(his.details.locator("#participants")).to_contain_text("Owner")


def test_a_deleted_chat_is_gone_for_everybody_in_it(person, window, there):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.group("Short-lived", bob)
    hers, his = window(ada, f"/chats/{chat}", at=there[0]), window(bob, f"/chats/{chat}", at=there[1])
    his.shows()
    hers.show_details()
    hers.get_by_role("button", name="Delete chat").click()
    hers.confirm()
    expect(his.get_by_role("heading", name="You are no longer in Short-lived")).to_be_visible()
    for one in (hers, his):
        expect(one.locator("#chats a")).to_have_count(0)
        expect(one.get_by_text("No chats yet")).to_be_visible()


def test_what_was_not_sent_is_given_back_by_a_chat_that_closes(person, window, there):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.group("Closing", bob)
    his = window(bob, f"/chats/{chat}", at=there[1])
    his.shows()
    his.expects_no_network()
    refused = {"error": {"code": "invalid_value", "message": "No.", "field": None}}
    his.page.route(
        "**/api/chats/*/messages",
        lambda route: route.fulfill(status=400, json=refused) if route.request.method == "POST" else route.continue_(),
    )
    his.say("refused")
    expect(his.message("refused").get_by_role("alert")).to_contain_text("Not sent")
    his.field.press_sequentially("half a thought")
    ada.call("DELETE", f"/api/chats/{chat}/participants/{bob.id}")
    expect(his.get_by_role("heading", name="You are no longer in Closing")).to_be_visible()
    expect(his.get_by_label("Not sent")).to_have_value("refused\n\nhalf a thought")
    his.get_by_role("button", name="Forget it").click()
    expect(his.get_by_label("Not sent")).to_have_count(0)
    his.page.reload()
    expect(his.get_by_role("heading", name="This chat is not here")).to_be_visible()
    expect(his.get_by_label("Not sent")).to_have_count(0)


def test_a_message_in_another_chat_becomes_a_toast_that_leads_there(person, window, there):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    chat, other = ada.direct(bob), cem.group("Choir", bob)
    his = window(bob, f"/chats/{chat}", at=there[0])
    his.shows()
    hers = window(ada, f"/chats/{chat}", at=there[1])
    hers.say("not worth a toast: Bob is looking at this chat")
    his.shows("not worth a toast: Bob is looking at this chat")
    expect(his.locator(".toast")).to_have_count(0)

    cem.say(other, "Rehearsal\nis at eight")
    toast = his.locator(".toast")
    expect(toast).to_contain_text("Cem in Choir")
    expect(toast).to_contain_text("Rehearsal is at eight")
    toast.get_by_role("button", name="Rehearsal").click()
    his.is_at(f"/chats/{other}")
    expect(toast).to_have_count(0)
    his.shows("Rehearsal is at eight")


def test_the_list_has_the_latest_chat_first_and_finds_one_by_its_name(person, window):
    ada, bob = person("Ada"), person("Bob")
    chats = {name: ada.group(name, bob) for name in ("Garden", "Kitchen", "Cellar")}
    ada.say(chats["Garden"], "weeds")
    his = window(bob)
    titles = his.locator("#chats .chat-title")
    expect(titles).to_have_text(["Garden", "Cellar", "Kitchen"])
    ada.say(chats["Kitchen"], "dishes")
    expect(titles).to_have_text(["Kitchen", "Garden", "Cellar"])
    expect(his.row(chats["Kitchen"])).to_contain_text("Ada: dishes")
    his.get_by_label("Find a chat").fill("cel")
    expect(titles).to_have_text(["Cellar"])
    his.get_by_label("Find a chat").press("Enter")
    his.is_at(f"/chats/{chats['Cellar']}")
