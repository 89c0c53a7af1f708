"""Hostile texts: everywhere that people's words are shown they stay words, and nothing of them runs."""

import pytest
from playwright.sync_api import expect

PAYLOADS = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "javascript:window.hacked=1",
    "&lt;b&gt; &amp; ${window.hacked=1} {{ 7*7 }}",
    "<a href='javascript:window.hacked=1'>https://example.org</a>",
    "</title></textarea></style><script>window.hacked=1</script>",
]
# Through Markdown's own ways: what its parts are made of is text as well.
MARKDOWN = [
    "[x](javascript:window.hacked=1) ![x](x onerror=window.hacked=1)",
    "**<img src=x onerror=window.hacked=1>** _<svg onload=window.hacked=1>_",
    "`<script>window.hacked=1</script>`",
    "```<script>window.hacked=1</script>\n<img src=x onerror=window.hacked=1>\n```",
    "> <iframe srcdoc='<script>parent.hacked=1</script>'></iframe>\n> - <b onclick=window.hacked=1>x</b>",
    '- https://example.org/"onmouseover="window.hacked=1\n- https://example.org/<script>window.hacked=1</script>',
    "mailto:x@example.org?body=<script>window.hacked=1</script> mailto:javascript:window.hacked=1",
    "JaVaScRiPt:window.hacked=1 data:text/html,<script>window.hacked=1</script> vbscript:window.hacked=1",
    "@<img src=x onerror=window.hacked=1> @'\"><script>window.hacked=1</script>",
    "https://javascript:window.hacked=1@example.org/ https://example.org/\u202egnp.exe",
]
NAME = "<img src=x onerror=window.hacked=1>"


@pytest.fixture
def unhacked(window):
    """Windows in which, at the end of the test, nothing has run; and `<img>`, `<iframe>` … are nowhere in the page."""
    shown = []

    def show(*what, **how):
        shown.append(window(*what, **how))
        return shown[-1]

    yield show
    for one in shown:
        assert one.page.evaluate("() => window.hacked") is None
        foreign = one.locator("#app, dialog, .toasts").locator(
            "img, iframe, script, style, object, a:not([href^='http']):not([href^='/']):not([href^='mailto:x@'])"
        )
        assert foreign.count() == 0


def test_hostile_messages_are_shown_as_they_were_written(person, unhacked):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    his = unhacked(bob, f"/chats/{chat}")
    hers = unhacked(ada, f"/chats/{chat}")
    hers.say(*PAYLOADS)
    for one in (hers, his):
        one.shows(*PAYLOADS)
    his.page.reload()
    his.shows(*PAYLOADS)
    ada.call("PATCH", f"/api/messages/{ada.messages(chat)[0]['id']}", {"content": PAYLOADS[-1]})
    his.shows(PAYLOADS[-1], *PAYLOADS[1:])
    expect(his.row(chat)).to_contain_text(PAYLOADS[-1])


def test_hostile_markdown_is_only_words_links_and_code(person, unhacked):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ids = ada.say(chat, *MARKDOWN)
    his = unhacked(bob, f"/chats/{chat}")
    expect(his.bubbles).to_have_count(len(MARKDOWN))
    expect(his.bubbles.nth(2).locator("code")).to_have_text("<script>window.hacked=1</script>")
    expect(his.row(chat)).to_contain_text("https://javascript:window.hacked=1@example.org/")
    elements = his.bubbles.evaluate_all(
        "(all) => [...new Set(all.flatMap((one) => [...one.querySelectorAll('*')].map((each) => each.localName)))].sort()"
    )
    assert set(elements) <= {"a", "blockquote", "code", "em", "li", "ol", "p", "pre", "span", "strong", "ul"}
    attributes = his.bubbles.evaluate_all(
        "(all) => [...new Set(all.flatMap((one) => [...one.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())))]"
    )
    assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "src")]
    # The same in an answer, in the sheet of the readers, in the editor, and in a notice of another chat.
    quiet = bob.group("Quiet", ada)
    his.locator("#messages .message").nth(1).hover()
    his.locator('.message-actions [data-action="reply"]').click()
    his.field.press("Enter")
    expect(his.bubbles).to_have_count(len(MARKDOWN) + 1)
    expect(his.locator("#messages .message").last).to_have_attribute("data-status", "stored")
    his.field.press("ArrowUp")
    expect(his.get_by_label("Edit message")).to_be_visible()
    his.page.keyboard.press("Escape")
    his.open_chat(quiet)
    ada.call("PATCH", f"/api/messages/{ids[0]}", {"content": MARKDOWN[1]})
    ada.say(chat, *MARKDOWN[:3])
    expect(his.locator(".toast").first).to_contain_text("<script>window.hacked=1</script>")


def test_hostile_names_are_only_words_where_people_are_mentioned_and_answered(person, unhacked):
    mallory, bob = person(NAME), person("Bob")
    chat = bob.group("Names", mallory)
    mallory.say(chat, f"@{mallory.username} @{bob.username}")
    his = unhacked(bob, f"/chats/{chat}")
    expect(his.locator(f'.mention[data-mention="{mallory.username}"]')).to_have_attribute("title", NAME)
    his.field.press_sequentially("@im")
    expect(his.get_by_role("option")).to_contain_text(NAME)
    his.field.press("Escape")
    his.field.fill("")
    his.locator("#messages .message").hover()
    his.locator('.message-actions [data-action="reply"]').click()
    his.field.press("Enter")
    expect(his.locator("#messages .message[data-own] blockquote")).to_contain_text(NAME)
    expect(his.locator("#messages .message[data-own]")).to_have_attribute("data-status", "stored")
    mallory.read(bob.messages(chat)[-1]["id"])
    expect(his.locator(".readers")).to_have_accessible_name(f"Read up to here by {NAME}. Show who and when")


def test_only_http_links_become_links_and_they_cannot_reach_back(person, unhacked):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    text = "see https://example.org/a?b=<c> and javascript:alert(1), ftp://x.org, http://ok.example/(y)."
    ada.say(chat, text)
    his = unhacked(bob, f"/chats/{chat}")
    his.shows(text)
    links = his.locator(".message-text a")
    assert [link.get_attribute("href") for link in links.all()] == ["https://example.org/a?b=", "http://ok.example/(y)"]
    assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer"}


def test_hostile_names_of_people_groups_and_descriptions_are_only_words(person, unhacked):
    mallory, bob = person(NAME), person("Bob")
    quiet = bob.group("Quiet", mallory)
    his = unhacked(bob, f"/chats/{quiet}")
    group = mallory.group(NAME, bob, description="<script>window.hacked=1</script>")
    direct = mallory.direct(bob)
    mallory.say(group, "hello " + NAME)
    toast = his.locator(".toast")
    expect(toast.first).to_contain_text(f"{NAME} in {NAME}")
    mallory.say(direct, NAME)
    for chat in (group, direct):
        expect(his.row(chat).locator(".chat-title")).to_have_text(NAME)

    his.open_chat(group)
    expect(his.title).to_have_text(NAME)
    expect(his.page).to_have_title(f"(1) {NAME} · Parley")
    expect(his.locator("#chat-header")).to_contain_text("<script>window.hacked=1</script>")
    expect(his.locator(".message-author")).to_have_text(NAME)
    his.show_details()
    expect(his.details).to_contain_text("<script>window.hacked=1</script>")
    expect(his.details.locator(f'[data-user-id="{mallory.id}"]')).to_contain_text(NAME)
    his.get_by_role("button", name="Leave chat").click()
    expect(his.dialog).to_contain_text(f"Leave {NAME}?")
    his.page.keyboard.press("Escape")

    his.open_chat(direct)
    expect(his.field).to_have_attribute("aria-label", f"Message {NAME}")
    his.get_by_role("button", name="New chat").click()
    his.dialog.get_by_role("searchbox").fill(mallory.username)
    expect(his.dialog.locator(".person-name").first).to_contain_text(NAME)

    hers = unhacked(mallory)
    hers.locator("#you").click()
    expect(hers.locator("#user-menu")).to_contain_text(NAME)


def test_the_policy_stops_a_script_that_got_into_the_page_all_the_same_and_the_tests_hear_of_it(person, window):
    ada = person("Ada")
    hers = window(ada)
    hers.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
        }"""
    )
    hers.until(lambda: hers.unexpected, "the violation")
    assert hers.page.evaluate("() => window.hacked") is None
    hers.expects("(?i)policy")
    assert not hers.unexpected
