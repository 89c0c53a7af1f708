"""A chat of ten thousand messages: opening it, scrolling through it, and a link into its middle."""

import contextlib

import psycopg2
import pytest
from playwright.sync_api import expect

MANY = 10_000
MOST_ROWS = 300

WATCH = """() => {
  window.frames_ = [];
  let last = performance.now();
  const frame = (now) => { frames_.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  const list = document.querySelector("#messages");
  window.most = 0;
  new MutationObserver(() => (window.most = Math.max(window.most, list.querySelectorAll(".message").length))).observe(list, { childList: true });
}"""


@pytest.fixture
def long_chat(person, parley):
    """`(ada, chat)`: hers with Bob, the newest two days old, all of them read."""
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    with contextlib.closing(psycopg2.connect(parley.database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            """insert into messages (chat_id, seq, ordinal, sender_id, content, created_at)
               select %(chat)s, n + 1, n, case when n %% 3 = 0 then %(ada)s::uuid else %(bob)s::uuid end,
                      'number ' || n || case n %% 5 when 0 then E'\\n- **one**\\n- two' when 1 then repeat(' and more', 30) else '' end,
                      now() - (10001 - n) * interval '20 minutes' - interval '48 hours'
               from generate_series(1, %(many)s) n""",
            {"chat": chat, "ada": ada.id, "bob": bob.id, "many": MANY},
        )
        cursor.execute("update chats set head_seq = %s, message_count = %s where id = %s", (MANY + 1, MANY, chat))
        cursor.execute(
            "update participants set read_seq = %s, read_count = %s, read_at = now() where chat_id = %s",
            (MANY + 1, MANY, chat),
        )
    return ada, chat


def row(window, number):
    return window.locator(f'#messages .message[data-seq="{number + 1}"]')


def test_it_opens_at_the_newest_message_and_scrolls_both_ways_with_few_rows(long_chat, window):
    ada, chat = long_chat
    hers = window(ada, f"/chats/{chat}")
    expect(row(hers, MANY)).to_be_in_viewport()
    hers.page.evaluate(WATCH)
    hers.page.mouse.move(700, 400)

    def wheel_until(number, by):
        for _ in range(1500):  # as many turns of the wheel as it takes
            if row(hers, number).count() == 1:
                return
            hers.page.mouse.wheel(0, by)
            hers.page.wait_for_timeout(20)
        raise AssertionError(f"number {number} never comes")

    wheel_until(MANY - 900, -900)
    assert row(hers, MANY).count() == 0
    wheel_until(MANY, 900)
    log = hers.locator("#log")
    hers.until(
        lambda: (
            hers.page.mouse.wheel(0, 3000)
            or log.evaluate("(one) => one.scrollHeight - one.scrollTop - one.clientHeight") < 2
        ),
        "the end",
    )
    expect(row(hers, MANY)).to_be_in_viewport()

    frames, most = hers.page.evaluate("() => [window.frames_.sort((a, b) => a - b), window.most]")
    assert most <= MOST_ROWS
    # Each is drawn in 17 ms on a machine of one's own; here others use the same processors.
    assert frames[len(frames) // 2] < 250


def test_a_link_into_the_middle_shows_its_message_with_its_surroundings_and_the_day(long_chat, window):
    ada, chat = long_chat
    message = next(
        one for one in ada.call("GET", f"/api/chats/{chat}/messages?limit=100")["items"] if one["seq"] == MANY - 60
    )
    hers = window(ada, f"/chats/{chat}/messages/{message['id']}")
    marked = hers.locator("#messages .message[data-marked]")
    expect(marked).to_have_attribute("data-message-id", message["id"])
    expect(marked).to_be_in_viewport()
    assert row(hers, MANY).count() == 0
    # While it is scrolled, the day of the topmost message is said, and not for ever.
    hers.page.mouse.move(700, 400)
    hers.page.mouse.wheel(0, -100)
    day = hers.locator("#day")
    expect(day).to_have_attribute("data-shown", "")
    top = hers.locator("#log").evaluate(
        """(log) => [...log.querySelectorAll("#messages > li")].find((row) => row.getBoundingClientRect().bottom > log.getBoundingClientRect().top).dataset.day"""
    )
    assert top in ("Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday")
    expect(day).to_have_text(top)
    expect(day).not_to_have_attribute("data-shown", "")


def test_a_link_to_a_message_that_is_not_there_says_so_and_leads_on(long_chat, window):
    ada, chat = long_chat
    hers = window(ada, f"/chats/{chat}/messages/00000000-0000-4000-8000-000000000000")
    hers.expects("status of 404")
    expect(hers.locator("#log")).to_contain_text("That message is not here")
    hers.get_by_role("button", name="Show the newest messages").click()
    hers.is_at(f"/chats/{chat}")
    expect(row(hers, MANY)).to_be_in_viewport()
