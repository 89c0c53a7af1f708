"""What Markdown makes of a message on the screen: in the column, in the list, in an answer."""

from playwright.sync_api import expect

RICH = """Three things, **all** of them *soon*:
- call `make run`
- ask @bob at https://example.org/a_b_c.
```sh
make   test  # as it stands
```
> who said that?
done"""


def test_marked_words_code_lists_and_quotes_are_shown_as_such_to_both(person, window, parley):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers, his = [window(one, f"/chats/{chat}", at=at.url) for one, at in zip((ada, bob), parley.instances, strict=True)]
    hers.shows()
    hers.field.fill(RICH.replace("@bob", f"@{bob.username}"))
    hers.field.press("Enter")
    for one in (hers, his):
        text = one.bubbles.first
        expect(text.locator("strong")).to_have_text("all")
        expect(text.locator("em")).to_have_text("soon")
        expect(text.locator("ul > li")).to_have_count(2)
        expect(text.locator("li code")).to_have_text("make run")
        expect(text.locator("pre")).to_have_text("make   test  # as it stands", use_inner_text=True)
        expect(text.locator("blockquote")).to_have_text("who said that?")
        link = text.locator("a")
        expect(link).to_have_attribute("href", "https://example.org/a_b_c")
        expect(link).to_have_attribute("rel", "noopener noreferrer")
        # The list shows words, not markers.
        expect(one.row(chat)).to_contain_text("Three things, all of them soon: call make run")
    assert ada.texts(chat) == [RICH.replace("@bob", f"@{bob.username}")]


def test_long_lines_scroll_in_their_own_box_and_long_words_break(person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    ada.say(chat, "```\n" + "x" * 400 + "\n```", "W" * 300, "> " + "q" * 300, "- `" + "c" * 300 + "`", "שלום " * 60)
    for size in ({"width": 390, "height": 844}, {"width": 1280, "height": 800}):
        his = window(bob, f"/chats/{chat}", viewport=size)
        expect(his.bubbles).to_have_count(5)
        wide = his.locator("#log").evaluate("(log) => log.scrollWidth - log.clientWidth")
        assert wide <= 0
        box = his.locator("#messages").bounding_box()
        for bubble in his.locator(".bubble").all():
            inside = bubble.bounding_box()
            assert inside["x"] >= box["x"] and inside["x"] + inside["width"] <= box["x"] + box["width"]
        assert his.locator("pre").evaluate("(pre) => pre.scrollWidth > pre.clientWidth")
        assert his.bubbles.last.evaluate("(text) => getComputedStyle(text.parentElement).direction") == "rtl"


def test_an_answer_begins_with_what_it_answers(person, window):
    ada, bob = person("Ada Lovelace"), person("Bob")
    chat = ada.direct(bob)
    ada.say(chat, "> before\n\nShall we meet at **nine**?")
    his = window(bob, f"/chats/{chat}")
    expect(his.bubbles).to_have_count(1)
    row = his.locator("#messages .message")
    row.hover()
    row.locator('.message-actions [data-action="reply"]').click()
    expect(his.field).to_be_focused()
    expect(his.field).to_have_value("> **Ada Lovelace**\n> Shall we meet at **nine**?\n\n")
    his.page.keyboard.type("Ten")
    his.page.keyboard.press("Enter")
    answer = his.locator("#messages .message[data-own]")
    expect(answer.locator("blockquote")).to_have_text("Ada Lovelace Shall we meet at nine?")
    expect(his.row(chat)).to_contain_text("You: Ten")
