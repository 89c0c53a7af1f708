"""The Activity page: the way of a message over two instances, the buttons that break things, and who may not see it."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person
from tests.browser.test_accessibility import DESKTOP, PHONE, is_accessible
from tests.browser.test_screen import OVERFLOW
from tests.browser.window import DEADLINE_MS

BREAKING_MS = 30_000  # what was broken has to be repaired first


@pytest.fixture(scope="module")
def parley(browser, module_cluster):
    return module_cluster(instances=2, env={"DEMO": "true"})


@pytest.fixture
def activity(window):
    """`activity(ada, …)` → her window on the page, which is live."""

    def show(person, **options):
        shown = window(person, None, **options)
        shown.goto("/activity")
        expect(shown.locator("#activity-phase")).to_have_text("Live")
        expect(shown.locator("#verdict")).to_have_attribute("data-tone", "good")
        return shown

    return show


def row(shown, title, chat):
    """An event in the list."""
    return shown.locator("#ways .timeline-row").filter(has_text=title).filter(has_text=chat)


def number(shown, name):
    return int(shown.locator(f'[data-count="{name}"]').inner_text())


def sound(shown, received):
    """Nothing was lost, and so many events have reached this page."""
    expect(shown.locator("#verdict")).to_have_attribute("data-received", str(received), timeout=BREAKING_MS)
    expect(shown.locator("#verdict")).to_have_attribute("data-tone", "good", timeout=BREAKING_MS)
    assert (
        shown.locator("#verdict").get_attribute("data-lost")
        == shown.locator("#verdict").get_attribute("data-doubled")
        == "0"
    )


def both_have_reported(shown):
    """The page counts from an instance's first report on."""
    for name in ("web.1", "web.2"):
        expect(shown.locator(f'[data-instance="{name}"] [data-fact="Publisher"]')).to_contain_text("up")


def test_the_way_of_a_message_over_two_instances(parley, person, window, activity):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Choir", ben)
    first, second = (instance.url for instance in parley.instances)
    his = window(ben, f"/chats/{chat}", at=second, fresh=True)
    hers = activity(ada, at=first, fresh=True)
    expect(hers.locator("#activity-empty")).to_be_visible()
    expect(hers.locator('[data-instance="web.1"]')).to_contain_text("here")
    expect(hers.locator('[data-instance="web.2"] [data-fact="Sockets"] dd')).to_have_text("1")
    his.say("What nobody else may read")
    his.shows("What nobody else may read")
    event = row(hers, "Message", "Choir")
    expect(event).to_contain_text("2 sockets")
    expect(hers.locator("#activity-empty")).to_be_hidden()
    event.click()
    steps = hers.locator("#way .step-text")
    for text in (
        "Accepted by web.2",
        "Committed to PostgreSQL as #",
        "Received by web.1",
        "Written to 1 socket of web.1",
        "Written to 1 socket of web.2",
    ):
        expect(steps.filter(has_text=text)).to_have_count(1)
    published = steps.filter(has_text="Published on")
    for channel in ("messageAdded", "chatMessageNotification", "messageUpdateForChatList"):
        expect(published).to_contain_text(channel)
    expect(hers.locator("#timeline-heading")).to_be_focused()
    ada.read(ada.messages(chat)[-1]["id"])
    expect(steps.last).to_have_text("Read by 1")
    assert "What nobody else may read" not in hers.page.content()
    hers.keyboard.press("Escape")
    expect(hers.locator("#way")).to_be_hidden()


def test_a_chat_of_others_is_an_id_and_no_name(parley, person, activity):
    ada, ben, eve = person("Ada"), person("Ben"), person("Eve")
    chat = ada.group("A surprise for Eve", ben)
    hers = activity(eve)
    ada.say(chat, "Hush")
    expect(row(hers, "Message", f"Chat {chat[:8]}")).to_be_visible()
    assert "A surprise" not in hers.page.content() and ada.id not in hers.page.content()


def test_a_click_into_the_lanes_chooses_the_event_there(parley, person, activity):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Lanes", ben)
    hers = activity(ada)
    ada.say(chat, "One")
    expect(row(hers, "Message", "Lanes")).to_be_visible()
    canvas = hers.locator("#lanes-canvas")
    # It slides to the left meanwhile: wait until it is in sight, and stop it.
    hers.page.wait_for_timeout(1500)
    hers.locator("#lanes-pause").click()
    box = canvas.bounding_box()
    for left in range(8, int(box["width"]), 16):
        canvas.click(position={"x": box["width"] - left, "y": 120})
        if hers.locator("#way").is_visible():
            break
    expect(hers.locator("#way .timeline-sub")).to_contain_text("Lanes")


def test_dropped_sockets_come_back_and_nothing_is_lost(parley, person, window, activity):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Dropped", ben)
    hers, in_chat = activity(ada, fresh=True), window(ada, f"/chats/{chat}", fresh=True)
    ben.say(chat, "Before")
    sound(hers, 1)
    greeted = len(in_chat.instances)
    hers.get_by_role("button", name="Drop my sockets").click()
    expect(hers.locator("#demo-note")).to_contain_text("Your sockets were closed")
    ben.say(chat, "After")
    sound(hers, 2)
    in_chat.until(lambda: len(in_chat.instances) > greeted, "a second welcome")
    in_chat.shows("Before", "After")


def test_redis_is_paused_and_everything_arrives(parley, person, activity):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Paused", ben)
    hers = activity(ada, at=parley.instances[0].url, fresh=True)
    both_have_reported(hers)
    hers.get_by_role("button", name="Pause Redis").click()
    expect(hers.locator("#demo-note")).to_contain_text("Redis answers nobody")
    other = parley.instances[1].url
    ben.url, ben._connection = other, None
    ben.say(chat, *map(str, range(5)))
    sound(hers, 5)
    expect(hers.locator('[data-count="repaired"]')).not_to_have_text("0", timeout=BREAKING_MS)
    # Both are well again, and say so.
    for name in ("web.1", "web.2"):
        expect(hers.locator(f'[data-instance="{name}"]')).to_have_attribute("data-state", "live", timeout=BREAKING_MS)


def test_redis_in_disorder_is_put_in_order(parley, person, activity):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Disorder", ben)
    hers = activity(ada, at=parley.instances[0].url, fresh=True)
    both_have_reported(hers)
    ben.url = parley.instances[1].url
    hers.get_by_role("button", name="Disorder Redis").click()
    expect(hers.locator("#demo-note")).to_contain_text("For 10 seconds")
    ben.say(chat, *map(str, range(40)))
    sound(hers, 40)
    for name in ("lost", "doubled", "repaired"):
        expect(hers.locator(f'[data-count="{name}"]')).not_to_have_text("0")


def test_a_killed_instance_is_grey_until_it_is_back(parley, person, activity):
    ada = person("Ada")
    killed = parley.instances[1]
    hers = activity(ada, at=parley.instances[0].url, fresh=True)
    hers.locator('[data-kill="web.2"]').click()
    hers.until(lambda: killed.exit_status == -9, "the end of web.2")
    card = hers.locator('[data-instance="web.2"]')
    expect(card).to_have_attribute("data-state", "silent", timeout=BREAKING_MS)
    expect(card).to_contain_text(re.compile(r"no word since \d\d:\d\d:\d\d"))
    killed.start()
    expect(card).to_have_attribute("data-state", "live", timeout=BREAKING_MS)


def test_the_trial_sends_messages_that_are_seen(parley, person, activity):
    hers = activity(person("Ada"), fresh=True)
    hers.locator("[data-send-trial]").click()
    expect(hers.locator("#demo-note")).to_contain_text("yours alone", timeout=BREAKING_MS)
    sound(hers, 21)  # the chat itself is one
    expect(row(hers, "Message", "Trial run").first).to_be_visible()


def test_the_network_gone_it_says_so_and_comes_back(parley, person, activity):
    hers = activity(person("Ada"), fresh=True)
    hers.expects_no_network()
    hers.page.context.set_offline(True)
    expect(hers.locator("#activity-phase")).to_have_text("Reconnecting…", timeout=BREAKING_MS)
    hers.page.context.set_offline(False)
    expect(hers.locator("#activity-phase")).to_have_text("Live", timeout=BREAKING_MS)


def test_signing_out_elsewhere_ends_it(parley, person, activity):
    ada = person("Ada")
    hers = activity(ada, fresh=True)
    hers.expects(r"401")
    ada.call("POST", "/api/sign-out")
    hers.page.wait_for_url("**/sign-in?next=%2Factivity", timeout=DEADLINE_MS)


@pytest.mark.parametrize(
    "options",
    [{"viewport": {"width": 390, "height": 844}}, {"color_scheme": "dark"}, {"reduced_motion": "reduce"}],
    ids=["phone", "dark", "still"],
)
def test_it_fits_and_draws_everywhere(parley, person, activity, options):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Everywhere", ben)
    hers = activity(ada, **options)
    ada.say(chat, "Hello")
    expect(row(hers, "Message", "Everywhere")).to_be_visible()
    assert hers.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    painted = "() => { const one = document.querySelector('#lanes-canvas'); return one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(Boolean); }"
    hers.until(lambda: hers.page.evaluate(painted), "something on the canvas")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(parley, person, activity, size):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("Accessible", ben)
    hers = activity(ada, **size)
    is_accessible(hers, "an empty activity page")
    ada.say(chat, "Hello")
    row(hers, "Message", "Accessible").click()
    expect(hers.locator("#way .step").first).to_be_visible()
    is_accessible(hers, "activity with a chosen event")


def test_on_a_phone_everything_has_its_place(parley, person, activity):
    ada, ben = person("Ada"), person("Ben")
    chat = ada.group("On the way", ben)
    hers = activity(ada, **PHONE)
    empty = hers.locator("#activity-empty")
    expect(empty).to_be_visible()
    # It stands alone: the names of the lanes do not shine through.
    assert (
        hers.page.evaluate("([one]) => getComputedStyle(one).backgroundColor", [empty.element_handle()])
        != "rgba(0, 0, 0, 0)"
    )
    heights = {round(button.bounding_box()["height"]) for button in hers.locator(".demo-buttons button").all()}
    assert heights == {44}
    ada.say(chat, "Hello")
    expect(empty).to_be_hidden()
    cut = "() => [...document.querySelectorAll('.lane-label span')].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
    assert hers.page.evaluate(cut) == []
    assert hers.page.evaluate(OVERFLOW) <= 0


def test_the_menu_of_the_app_leads_here_and_back(parley, person, window):
    hers = window(person("Ada"))
    hers.locator("#you").click()
    hers.locator("#show-activity").click()
    expect(hers.locator("#activity-phase")).to_have_text("Live")
    hers.get_by_role("link", name="Back to the chats").click()
    hers.is_live()


def test_fifty_messages_a_second_leave_time_to_draw(parley, person, activity):
    """What one picture costs, not how many this machine manages beside everything else that it does."""
    ada, ben = person("Ada"), person("Ben")
    hers = activity(ada, fresh=True)
    hers.page.evaluate("""() => {
      const real = window.requestAnimationFrame;
      window.spent = [];
      window.requestAnimationFrame = (run) => real((time) => { const before = performance.now(); run(time); window.spent.push(performance.now() - before); });
    }""")
    chat = ada.group("Busy", ben)
    until = time.monotonic() + 4
    while time.monotonic() < until:
        ben.say(chat, "x")
    hers.until(lambda: hers.page.evaluate("() => window.spent.length") > 10, "pictures")
    spent = sorted(hers.page.evaluate("() => window.spent"))
    assert spent[len(spent) // 2] < 8, spent  # half of the time between two pictures


def test_who_may_not_watch_is_told_so(browser, module_cluster, window, person):
    closed = module_cluster(instances=1, nginx=False)
    owner, other = (Person(closed.url, closed.database, name, name.title()) for name in ("owner", "other"))
    hers = window(owner, None, at=closed.url, fresh=True)
    hers.goto("/activity")
    expect(hers.locator("#activity-phase")).to_have_text("Live")
    expect(hers.locator("#demo")).to_have_count(0)
    his = window(other, None, at=closed.url, fresh=True)
    his.expects(r"403")
    his.goto("/activity")
    expect(his.get_by_role("heading", name="For the server's owners")).to_be_visible()
    expect(his.locator("#lanes-canvas")).to_have_count(0)
    stranger = window(None, None, at=closed.url, fresh=True)
    stranger.goto("/activity")
    stranger.page.wait_for_url("**/sign-in?next=%2Factivity")
