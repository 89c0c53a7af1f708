"""Finding one's way: the switcher, the unread filter, muted chats, the keys."""

import re

from playwright.sync_api import expect


def test_the_switcher_goes_to_chats_and_people_by_a_few_letters(person, window):
    ada, bob, cem = person("Ada"), person("Bob"), person("Çemile")
    group = ada.group("Orchard board", bob)
    direct = ada.direct(bob)
    hers = window(ada, f"/chats/{group}")
    press = hers.page.keyboard.press
    options = hers.dialog.get_by_role("option")
    press("Control+k")
    expect(options).to_have_text([re.compile("Bob")])  # the recent ones, without the open one
    press("Enter")
    hers.is_at(f"/chats/{direct}")
    expect(hers.field).to_be_focused()

    press("Control+k")
    hers.page.keyboard.type("ob")
    expect(options).to_have_text([re.compile("Orchard board"), re.compile("Bob")])
    press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    press("ArrowDown")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    press("Enter")
    hers.is_at(f"/chats/{group}")

    # Somebody without a chat yet; what is open stays as it was until then.
    press("Control+k")
    hers.page.keyboard.type("cemile")
    expect(options).to_have_count(0)
    expect(hers.dialog).to_contain_text("No chat and nobody of that name.")
    for _ in "cemile":
        press("Backspace")
    hers.page.keyboard.type(cem.username)
    expect(options).to_have_text([re.compile("Çemile")])
    press("Enter")
    expect(hers.title).to_have_text("Çemile")
    expect(hers.row(hers.page.url.rpartition("/")[2])).to_be_visible()

    hers.locator("#new-chat").focus()
    press("Control+k")
    press("Escape")
    expect(hers.dialog).to_have_count(0)
    expect(hers.locator("#new-chat")).to_be_focused()


def test_only_unread_chats_are_shown_where_that_was_chosen_also_after_a_reload(person, window):
    ada, bob = person("Ada"), person("Bob")
    read, unread = ada.group("Read", bob), ada.group("Unread", bob)
    ada.say(unread, "news")
    his = window(bob)
    expect(his.locator("#unread-chats")).to_have_text("1")
    his.locator("#chat-choice").get_by_role("radio", name="Unread").check(force=True)
    expect(his.locator("#chats a")).to_have_count(1)
    his.page.reload()
    expect(his.locator("#chats a")).to_have_count(1)
    his.open_chat(unread)
    expect(his.locator("#unread-chats")).to_have_text("")
    expect(his.row(unread)).to_be_visible()  # until one leaves it
    his.until(lambda: bob.unread(unread) == 0, "read")
    his.page.go_back()
    expect(his.locator("#chats-note")).to_contain_text("Nothing unread")
    ada.say(read, "more news")
    expect(his.row(read)).to_be_visible()
    his.locator("#chat-choice").get_by_role("radio", name="All").check(force=True)
    expect(his.locator("#chats a")).to_have_count(2)


def test_a_muted_chat_is_dimmed_and_quiet_in_every_tab(person, window):
    ada, bob = person("Ada"), person("Bob")
    loud, quiet = ada.group("Loud", bob), ada.group("Quiet", bob)
    his = window(bob, f"/chats/{quiet}")
    other = window(bob, beside=his)
    his.show_details()
    his.details.get_by_role("button", name="Mute").click()
    for one in (his, other):
        expect(one.row(quiet).locator(".chat-muted")).to_be_visible()
    expect(his.details.get_by_role("button", name="Unmute")).to_be_visible()
    expect(his.locator("#chat-header").get_by_text("Muted")).to_be_attached()
    expect(his.locator("#chat-header .header-muted")).to_be_visible()
    his.goto("/").is_live()
    ada.say(quiet, "psst")
    expect(his.badge(quiet)).to_have_text("1")
    expect(his.page).to_have_title("Parley")
    ada.say(loud, "hello!")
    expect(his.page).to_have_title("(1) Parley")
    expect(his.locator(f'#toasts [data-chat-id="{quiet}"]')).to_have_count(0)
    assert bob.call("GET", f"/api/chats/{quiet}")["muted"]

    his.open_chat(quiet)
    his.show_details()
    his.details.get_by_role("button", name="Unmute").click()
    expect(other.row(quiet).locator(".chat-muted")).to_be_hidden()
    expect(his.locator("#chat-header .header-muted")).to_be_hidden()
    his.until(lambda: not bob.call("GET", f"/api/chats/{quiet}")["muted"], "unmuted")


def test_keys_walk_through_the_chats_and_the_unread_ones(person, window):
    ada, bob = person("Ada"), person("Bob")
    chats = [ada.group(f"Chat {number}", bob) for number in range(4)]  # the list: 3, 2, 1, 0
    ada.say(chats[0], "unread")
    ada.say(chats[2], "unread too")
    ada.say(chats[1], "muted")
    ada.say(chats[3], "read")
    bob.call("PUT", f"/api/chats/{chats[1]}/mute")
    his = window(bob, f"/chats/{chats[3]}")  # now 3, 1, 2, 0
    his.shows("read")
    press = his.page.keyboard.press
    press("Alt+Shift+ArrowDown")
    his.is_at(f"/chats/{chats[2]}")
    press("Alt+u")
    his.is_at(f"/chats/{chats[0]}")
    press("Alt+ArrowUp")
    his.is_at(f"/chats/{chats[2]}")
    press("Alt+ArrowUp")
    his.is_at(f"/chats/{chats[1]}")
    press("Alt+ArrowDown")
    his.is_at(f"/chats/{chats[2]}")


def test_whoever_only_passes_by_has_read_nothing(person, window):
    ada, bob = person("Ada"), person("Bob")
    chats = [ada.group(f"Chat {number}", bob) for number in range(3)]
    for chat in chats:
        ada.say(chat, f"news of {chat}")
    last, between, first = chats  # from below
    his = window(bob, path=None, fresh=True)
    his.page.clock.install()
    his.goto().is_live()
    expect(his.badge(first)).to_have_text("1")
    reads = []
    his.page.on("request", lambda request: request.method == "PUT" and reads.append(request.url))
    his.page.clock.pause_at(his.page.evaluate("Date.now()") + 1_000)

    def pass_by(chat):
        his.page.keyboard.press("Alt+ArrowDown")
        his.is_at(f"/chats/{chat}")
        his.until(lambda: his.page.clock.run_for(16) or his.message(f"news of {chat}").count(), "its messages")
        his.page.clock.run_for(400)

    for chat in (first, between, last):
        pass_by(chat)
    assert reads == []
    expect(his.badge(first)).to_have_text("1")
    his.page.clock.run_for(1_000)
    his.until(lambda: bob.unread(last) == 0, "the one that he stays in is read")
    assert len(reads) == 1
    his.page.keyboard.press("Alt+ArrowUp")
    his.page.clock.run_for(100)
    his.is_at(f"/chats/{between}")
    his.field.press("h")
    his.page.clock.run_for(300)
    his.until(lambda: bob.unread(between) == 0, "so is one that he begins to write in")
    assert bob.unread(first) == 1


def test_the_list_of_shortcuts_opens_by_its_key_but_not_while_writing(person, window):
    ada, bob = person("Ada"), person("Bob")
    hers = window(ada, f"/chats/{ada.direct(bob)}")
    hers.field.press("?")
    expect(hers.field).to_have_value("?")
    hers.locator("#log").focus()
    hers.page.keyboard.press("?")
    expect(hers.dialog.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    expect(hers.dialog).to_contain_text("Go to a chat or a person")
    hers.page.keyboard.press("Escape")
    expect(hers.locator("#log")).to_be_focused()


def test_a_list_that_loads_fails_and_is_asked_for_again_says_each(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.group("Late", bob)
    his = window(bob, None)
    his.expects_no_network()
    held = []
    his.page.route("**/api/chats?*", lambda route: held.append(route))
    his.goto("/")
    expect(his.locator("#chats .chat-skeleton").first).to_be_visible()
    his.until(lambda: held, "asked for")
    # From here on without a gap: the list is asked for again at once.
    his.page.route("**/api/chats?*", lambda route: route.abort())
    held.pop().abort()
    expect(his.locator("#chats-note")).to_contain_text("Your chats could not be loaded.")
    his.is_live()
    his.page.unroute("**/api/chats?*")
    his.locator("#chats-note").get_by_role("button", name="Try again").click()
    expect(his.row(chat)).to_contain_text("No messages yet")
    expect(his.locator("#chats-note")).to_be_hidden()
