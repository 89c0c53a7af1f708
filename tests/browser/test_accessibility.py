"""axe-core finds nothing serious or critical on any screen: phone and desktop, light and dark."""

import contextlib
import re

import psycopg2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.test_screen import PHONE

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
MARKDOWN = (
    "A **bold** and an *italic* word, `code`, https://example.org\n\n> quoted\n\n- one\n- two\n\n```\nfence()\n```"
)

# Colours pass from one theme to the other: not before that has ended are they what people see.
STILL = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  for (let left = 60; left > 0 && (await frame(), document.getAnimations().some((one) => one.playState === "running")); left -= 1);
}"""

axe = Axe()


def findings(window, options):
    found = axe.run(window.page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {' '.join(node['target'])}\n    {node['html'][:160]}\n    {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def is_accessible(window, screen: str):
    """No rule is broken; in the dark theme, where only colours differ, none about colours."""
    found = []
    for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        window.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        window.page.evaluate(STILL)
        found += [f"{screen}, {scheme}: {one}" for one in findings(window, options)]
    assert not found, "\n".join(found)


def test_the_checks_find_what_is_wrong(person, window):
    hers = window(person("Ada"))
    hers.page.evaluate("""() => { const image = document.createElement("img"); image.src = "/static/icon.svg"; document.body.append(image);
                                  document.querySelector(".blank h2").style.color = "rgb(190, 190, 190)"; }""")
    with pytest.raises(AssertionError) as raised:
        is_accessible(hers, "broken")
    assert "image-alt (critical)" in str(raised.value) and "color-contrast (serious)" in str(raised.value)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_pages_before_the_app(person, window, size):
    person("Ada")  # a server that nobody uses has another first page
    stranger = window(path="/sign-in", **size)
    stranger.expects("status of 4")
    is_accessible(stranger, "sign-in")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator("#username-error")).not_to_be_empty()
    is_accessible(stranger, "sign-in with errors")
    for path in ("/sign-up", "/join/nobody", "/no/such/page", "/api/docs"):
        stranger.goto(path)
        is_accessible(stranger, path)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_app_without_chats_and_the_dialogs_that_begin_some(person, window, size):
    ada, _ = person("Ada"), person("Bob")
    hers = window(ada, **size)
    expect(hers.locator("#chats-note")).to_contain_text("No chats yet")
    is_accessible(hers, "empty app")
    hers.locator("#you").click()
    is_accessible(hers, "own menu")
    hers.page.keyboard.press("Escape")
    hers.locator("#new-chat").click()
    expect(hers.dialog.locator(".person-button").first).to_be_visible()
    is_accessible(hers, "new chat")
    hers.dialog.get_by_role("radio", name="Group").check(force=True)
    hers.dialog.locator(".person-button").first.click()
    is_accessible(hers, "new group")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_conversation_and_its_dialogs(person, window, size):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.group("Harvest", bob, description="Saturday")
    ada.say(chat, "Good morning", MARKDOWN, f"@{bob.username} are you there?")
    mine, gone = bob.say(chat, "I am", "Not this")
    ada.read(gone)
    bob.call("DELETE", f"/api/messages/{gone}")
    ada.say(chat, "Very well")
    his = window(bob, f"/chats/{chat}", **size)
    expect(his.message("Very well")).to_be_visible()
    expect(his.message("I am").locator(".receipt")).to_have_attribute("data-state", "read")
    is_accessible(his, "conversation")
    his.message("I am").focus()
    his.page.keyboard.press("ArrowUp")
    his.page.keyboard.press("ArrowDown")
    is_accessible(his, "toolbar of a message")
    his.page.keyboard.press("Enter")
    is_accessible(his, "menu of a message")
    his.page.keyboard.press("Escape")
    his.message("I am").focus()
    his.page.keyboard.press("w")
    expect(his.dialog).to_be_visible()
    is_accessible(his, "readers of a message")
    his.page.keyboard.press("Escape")
    his.message("I am").focus()
    his.page.keyboard.press("Delete")
    is_accessible(his, "question")
    his.page.keyboard.press("Escape")
    his.message("I am").focus()
    his.page.keyboard.press("e")
    expect(his.locator("#log textarea")).to_be_visible()
    is_accessible(his, "editing a message")
    his.page.keyboard.press("Escape")
    his.field.fill(f"Hello @{ada.username[:2]}")
    is_accessible(his, "writing")
    his.field.fill("")
    his.show_details()
    is_accessible(his, "details")
    his.details.get_by_role("button", name="Edit name and description").click()
    is_accessible(his, "editing the details")
    his.details.get_by_role("button", name="Add people").click()
    expect(his.dialog).to_be_visible()
    is_accessible(his, "adding people")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_chat_list_and_what_finds(person, window, size):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    loud, quiet = ada.group("Loud", bob), ada.group("Quiet", bob, cem)
    ada.say(loud, "something new", MARKDOWN)
    ada.say(quiet, "something quiet")
    bob.call("PUT", f"/api/chats/{quiet}/mute")
    bob.direct(cem)
    his = window(bob, **size)
    expect(his.row(quiet).locator(".chat-muted")).to_be_visible()
    is_accessible(his, "chat list")
    his.locator("#chat-choice").get_by_role("radio", name="Unread").check(force=True)
    is_accessible(his, "unread chats")
    his.locator("#chat-filter").fill("nobody")
    expect(his.locator("#chats-note")).to_contain_text("No unread chat of that name.")
    is_accessible(his, "no such chat")
    his.locator("#chat-filter").fill("")

    his.locator("#open-search").click()
    is_accessible(his, "search")
    his.locator("#search-text").fill("something")
    expect(his.locator("#search-hits a")).to_have_count(2)
    is_accessible(his, "hits")
    his.locator("#search-text").fill("nothing")
    expect(his.locator("#search")).to_contain_text(re.compile("No message has"))
    is_accessible(his, "nothing found")
    his.locator("#close-search").click()

    his.page.keyboard.press("Control+k")
    expect(his.dialog.get_by_role("option")).to_have_count(3)
    is_accessible(his, "switcher")
    his.page.keyboard.press("Escape")
    his.locator("#new-chat").focus()
    his.page.keyboard.press("?")
    expect(his.dialog).to_contain_text("Keyboard shortcuts")
    is_accessible(his, "shortcuts")


@pytest.fixture
def change(parley):
    """`change(sql, ada)`: what an operator would do to her rows."""

    def run(sql, person):
        with (
            contextlib.closing(psycopg2.connect(parley.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, (person.id,))

    return run


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_settings_of_an_owner_and_the_end_of_a_session(person, window, change, size):
    ada = person("Ada")
    change("update users set is_owner = true where id = %s", ada)
    ada.call("POST", "/api/invitations", {})
    hers = window(ada, **size)
    hers.expects("status of 401")
    hers.locator("#you").click()
    hers.get_by_role("button", name="Settings").click()
    expect(hers.dialog.locator("[data-session-id]").first).to_be_visible()
    expect(hers.dialog.locator("[data-invitation-id]").first).to_be_visible()
    is_accessible(hers, "settings")
    hers.page.keyboard.press("Escape")
    change("update sessions set revoked_at = now() where user_id = %s", ada)
    expect(hers.locator("#session-ended")).to_be_visible()
    is_accessible(hers, "end of the session")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_comes_by_itself(person, window, size):
    ada, bob = person("Ada"), person("Bob")
    here, there = ada.group("Here", bob), ada.group("There", bob)
    ada.say(here, "begin")
    his = window(bob, f"/chats/{here}", **size)
    expect(his.message("begin")).to_be_visible()
    ada.say(there, "elsewhere")
    expect(his.locator(f'#toasts [data-chat-id="{there}"]')).to_be_visible()
    is_accessible(his, "toast")
    his.expects_no_network()
    his.page.context.set_offline(True)
    his.say("not sent yet")
    expect(his.pill).to_be_visible()
    is_accessible(his, "offline")
    his.page.context.set_offline(False)
    his.is_live()
    expect(his.message("not sent yet")).to_be_visible()
