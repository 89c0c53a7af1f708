"""A tab that was opened before a deploy: the page of one release before the instances of another, for as long as it stays open.

Everything is real: the servers of both releases, their pages, and one database, brought to this release's schema by its `migrate`. The
instances change in both directions, since a deploy that disappoints is taken back while pages of the newer release are open.
"""

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from local.builds import HERE
from local.instance import migrate as run_migrate
from store.migrations import migrate
from tests.browser.person import PASSWORD
from tests.browser.test_notifications import RECORDED, told
from tests.releases import RELEASE_BEFORE, build_of

# What browsers say of instances that are being replaced. A file or an address that is not to be had any more would be another status.
REPLACED = (r"WebSocket connection to .* failed", r"Failed to load resource: net::", r"status of 50[23]")
ENTRY = "() => fetch(document.querySelector('script[type=module]').src).then((answer) => answer.text())"
SIGN_IN = re.compile(r"/sign-in(\?.*)?$")


@pytest.fixture(scope="module")
def before():
    return build_of(RELEASE_BEFORE)


@pytest.fixture(scope="module")
def database_of_before(postgres, before):
    """A database as the release before has made it."""
    postgres.create_database("before")
    run_migrate(postgres.url("before"), build=before)
    yield postgres.url("before")
    postgres.drop_database("before")


@pytest.fixture(scope="module")
def parley(browser, before, database_of_before, module_cluster):
    quick = {"PRESENCE_BEAT_SECONDS": "1.5", "PRESENCE_GRACE_SECONDS": "4", "DRAIN_SECONDS": "1"}
    return module_cluster(instances=2, database=database_of_before, build=before, env=quick)


def replace_at_once(parley, build):
    """All instances end together, without a farewell, and come back as this build."""
    for instance in parley.instances:
        instance.kill()
        instance.build = build
        instance.start(wait=False)
    for instance in parley.instances:
        instance.wait_until_ready()


def replace_one_by_one(parley, build):
    for instance in parley.instances:
        instance.stop()
        instance.build = build
        instance.start()


class Deploy:
    """From the instances of one build to those of another; `tab(ada, path)` opens a page of the first."""

    def __init__(self, parley, window, first, then):
        self.parley, self._window, self.first, self.then = parley, window, first, then
        self.tabs = []
        if any(instance.build is not first for instance in parley.instances):
            replace_at_once(parley, first)

    def tab(self, person, path="/", **options):
        tab = self._window(person, path, **options)
        tab.expects(*REPLACED)
        assert tab.page.evaluate(ENTRY) == (self.first.static / "js" / "app.js").read_text()
        self.tabs.append((tab, tab.page.evaluate("() => (window.opened = performance.timeOrigin)")))
        return tab

    @contextlib.contextmanager
    def under_way(self, replace):
        """The instances are replaced while the block runs, which may ask `running()`; after it all tabs are live on the new ones."""
        if self.then is HERE:
            migrate(self.parley.database)
        greeted = [len(tab.instances) for tab, _ in self.tabs]
        with ThreadPoolExecutor(1) as thread:
            replaced = thread.submit(replace, self.parley, self.then)
            yield lambda: not replaced.done()
            for (tab, _), number in zip(self.tabs, greeted, strict=True):
                tab.until(lambda tab=tab: replaced.done(), "all instances are replaced")
                tab.until(lambda tab=tab, number=number: len(tab.instances) > number, "a greeting by a new instance")
                tab.is_live()
            replaced.result()

    def at_once(self):
        with self.under_way(replace_at_once):
            pass

    def check(self):
        """No tab was loaded again. From here on they may be."""
        while self.tabs:
            tab, opened = self.tabs.pop()
            assert tab.page.evaluate("() => window.opened") == opened, "the tab was loaded again"


@pytest.fixture(params=["deploy", "going back"])
def deploy(request, parley, before, window):
    there = (before, HERE) if request.param == "deploy" else (HERE, before)
    if request.param == "going back":
        migrate(parley.database)
    deploy = Deploy(parley, window, *there)
    yield deploy
    deploy.check()


# Costs seconds, and going back would show nothing more.
only_a_deploy = pytest.mark.parametrize("deploy", ["deploy"], indirect=True)


def sent(window):
    """Waits until nothing is waiting to be sent."""
    expect(window.locator('#messages .message:not([data-status="stored"])')).to_have_count(0)
    window.page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.startsWith('parley.outbox.'))")


def test_two_tabs_talk_on_while_the_instances_change_and_nothing_is_lost_doubled_or_reordered(deploy, person):
    ada, bob = person("Ada"), person("Bob")
    chat, unopened = ada.direct(bob), ada.group("Harvest", bob)
    _, taken_back = bob.say(unopened, "kept", "taken back")
    bob.call("DELETE", f"/api/messages/{taken_back}")
    hers, his = deploy.tab(ada, f"/chats/{chat}"), deploy.tab(bob, f"/chats/{chat}")
    hers.say("to be edited", "to be deleted")
    his.shows("to be edited", "to be deleted")
    written = {"hers": [], "his": []}
    with deploy.under_way(replace_one_by_one) as running:
        while running():
            for name, one in (("hers", hers), ("his", his)):
                written[name].append(f"{name} {len(written[name])}")
                one.say(written[name][-1])
            hers.page.wait_for_timeout(400)
    for one in (hers, his):
        sent(one)
    texts = ada.texts(chat)
    assert {name: [text for text in texts if text.startswith(f"{name} ")] for name in written} == written
    assert len(texts) == 2 + len(written["hers"] + written["his"])
    for one in (hers, his):
        one.shows(*texts)

    hers.act("to be edited", "edit")
    editor = hers.get_by_label("Edit message")
    expect(editor).to_be_focused()
    editor.fill("edited, see https://example.org/a?b=c")
    editor.press("Enter")
    hers.act("to be deleted", "delete")
    hers.confirm()

    def seen_typing():
        his.field.press("x")  # what is typed right after a message is told only after a while
        return hers.locator("#typing").text_content() == "Bob is typing…"

    his.until(seen_typing, "typing is shown")
    his.say("afterwards")
    for one in (hers, his):
        one.shows("edited, see https://example.org/a?b=c", "Message deleted", *texts[2:], "afterwards")
        expect(one.get_by_role("link", name="https://example.org/a?b=c")).to_have_attribute(
            "href", "https://example.org/a?b=c"
        )
        expect(one.locator(".message[data-deleted]")).to_have_count(1)
    # Who reads it, far up as they are, has read it, and the other is told.
    hers.message("afterwards").scroll_into_view_if_needed()
    hers.until(lambda: ada.unread(chat) == bob.unread(chat) == 0, "the receipts")
    expect(his.message("afterwards").locator(".receipt")).to_have_accessible_name(re.compile("^Read"))
    # What a page reads only now comes from the history, as the other release tells it.
    hers.open_chat(unopened)
    hers.shows("kept", "Message deleted")


def pick(window, person):
    window.dialog.get_by_role("searchbox").fill(person.username)
    window.dialog.locator(f'.person-button[data-user-id="{person.id}"]').click()


@only_a_deploy
def test_groups_and_presence_go_on(deploy, person, window):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    direct = ada.direct(bob)
    hers = deploy.tab(ada)
    his = deploy.tab(bob, fresh=True)
    dot = hers.row(direct).locator(".online-dot")
    expect(dot).to_be_visible()
    deploy.at_once()
    expect(dot).to_be_visible()

    hers.get_by_role("button", name="New chat").click()
    hers.dialog.get_by_role("radio", name="Group").check()
    pick(hers, bob)
    hers.dialog.get_by_label("Name of the group").fill("Harvest")
    hers.dialog.get_by_role("button", name="Create group of 2").click()
    expect(hers.title).to_have_text("Harvest")
    chat = hers.page.url.rpartition("/")[2]
    hers.say("Apples on Saturday?")
    expect(his.row(chat)).to_contain_text("Apples on Saturday?")
    expect(his.badge(chat)).to_have_text("1")

    # A page of the release that is there now is in it as well.
    hers.show_details()
    hers.get_by_role("button", name="Add people").click()
    pick(hers, cem)
    hers.dialog.get_by_role("button", name="Add", exact=True).click()
    theirs = window(cem, f"/chats/{chat}")
    theirs.shows("Apples on Saturday?")
    expect(hers.details.get_by_role("heading", name="3 people · 3 online")).to_be_visible()
    hers.get_by_role("button", name="Edit name and description").click()
    hers.get_by_label("Name", exact=True).fill("Apple harvest")
    hers.get_by_role("button", name="Save").click()
    expect(his.row(chat)).to_contain_text("Apple harvest")
    theirs.say("I bring a ladder")
    his.open_chat(chat)
    for one in (hers, his, theirs):
        one.shows("Apples on Saturday?", "I bring a ladder")
    hers.get_by_role("button", name="Remove Cem").click()
    hers.confirm()
    expect(theirs.get_by_role("heading", name="You are no longer in Apple harvest")).to_be_visible()
    hers.get_by_role("button", name="Leave chat").click()
    hers.confirm()
    expect(hers.row(chat)).to_have_count(0)
    his.show_details()
    expect(his.details.get_by_role("heading", name="1 person")).to_be_visible()
    his.get_by_role("button", name="Delete chat").click()
    his.confirm()
    expect(his.row(chat)).to_have_count(0)


@only_a_deploy
def test_searching_being_told_and_signing_out_go_on(deploy, person, window):
    ada, bob = person("Ada"), person("Bob")
    direct, group = ada.direct(bob), ada.group("Harvest", bob)
    ada.say(group, "The walrus and the carpenter")
    hers = window(ada, None, fresh=True)
    hers.page.context.add_init_script(RECORDED % repr("granted"))
    hers = deploy.tab(ada, beside=hers)
    deploy.at_once()

    hers.page.keyboard.press("/")
    hers.page.keyboard.type("walr")
    expect(hers.locator("#search-hits a")).to_have_count(1)
    bob.say(direct, "A walrus cake?")
    hers.locator("#search-text").fill("walrus")
    hers.locator("#search-hits a").filter(has_text="cake").wait_for()
    hers.page.keyboard.press("Escape")

    hers.look_away()
    bob.say(direct, "Are you there?")
    hers.until(lambda: told(hers) == ["Bob: Are you there?"], "the notification")
    expect(hers.badge(direct)).to_have_text("2")
    expect(hers.page).to_have_title("(2) Parley")
    expect(hers.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-unread"))
    # A browser without a screen does not ask for icons by itself.
    assert hers.page.evaluate("() => fetch(document.querySelector('link[rel=icon]').href).then(({ ok }) => ok)")
    hers.look_back()
    hers.open_chat(direct)
    expect(hers.badge(direct)).to_be_hidden()

    hers.locator("#you").click()
    hers.locator("#show-settings").click()
    hers.dialog.get_by_label("Your name").fill("Ada Lovelace")
    hers.dialog.get_by_role("button", name="Save").click()
    expect(hers.locator("#you")).to_have_accessible_name("Ada Lovelace: your account")
    hers.page.keyboard.press("Escape")
    deploy.check()
    hers.expects("status of 401")  # of what was on its way
    hers.locator("#you").click()
    hers.get_by_role("button", name="Sign out").click()
    hers.page.wait_for_url(SIGN_IN)
    hers.sign_in(ada.username, PASSWORD)
    hers.is_live()


@only_a_deploy
def test_tabs_of_both_releases_in_one_browser_agree(deploy, person, window):
    ada, bob = person("Ada"), person("Bob")
    chat, other = ada.direct(bob), ada.group("Harvest", bob)
    first = deploy.tab(ada, f"/chats/{chat}", fresh=True)
    first.field.press_sequentially("half a thought")
    deploy.at_once()
    second = window(ada, f"/chats/{chat}", beside=first)
    second.expects(*REPLACED)
    expect(second.field).to_have_value("half a thought")
    first.look_away()
    second.field.press_sequentially(" and the rest")
    expect(first.field).to_have_value("half a thought and the rest")
    second.look_away()
    first.look_back()
    first.field.press("Enter")
    for tab in (first, second):
        tab.shows("half a thought and the rest")
        expect(tab.field).to_have_value("")
    bob.say(other, "unread")
    for tab in (first, second):
        expect(tab.badge(other)).to_have_text("1")
    second.look_back()
    second.open_chat(other)
    for tab in (first, second):
        expect(tab.badge(other)).to_be_hidden()

    # What one tab could not send, the other does not send again.
    first.page.context.set_offline(True)
    first.say("written offline")
    first.page.context.set_offline(False)
    sent(first)
    sent(second)
    assert bob.texts(chat) == ["half a thought and the rest", "written offline"]
    first.shows(*bob.texts(chat))

    deploy.check()
    for tab in (first, second):
        tab.expects("status of 401")
    second.locator("#you").click()
    second.get_by_role("button", name="Sign out").click()
    for tab in (first, second):
        tab.page.wait_for_url(SIGN_IN)


def test_a_message_that_the_instance_before_has_stored_without_an_answer_is_stored_once(deploy, person):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = deploy.tab(ada, f"/chats/{chat}")
    keys = []

    def lose_the_answer(route):
        if route.request.method == "POST":
            keys.append(route.request.headers["idempotency-key"])
            if deploy.parley.instances[0].build is deploy.first:
                route.fetch()
                return route.abort("connectionreset")
        return route.continue_()

    hers.page.route("**/api/chats/*/messages", lose_the_answer)
    hers.say("once")
    hers.until(lambda: bob.texts(chat) == ["once"], "stored")
    deploy.at_once()
    hers.say("and twice")
    sent(hers)
    hers.shows("once", "and twice")
    assert bob.texts(chat) == ["once", "and twice"]
    assert len(set(keys)) == 2 < len(keys)


def test_a_tab_that_polls_goes_on(deploy, person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers = window(ada, None, fresh=True)
    hers.expects(*REPLACED)
    hers.page.clock.install()
    hers.page.context.route_web_socket("**/ws", lambda socket: socket.close())

    def polls_until_it_shows(*texts):
        def polled():
            hers.page.clock.fast_forward(5_000)
            return hers.bubbles.all_text_contents() == list(texts)

        hers.until(polled, f"the messages {texts}")

    hers.goto(f"/chats/{chat}")
    bob.say(chat, "before")
    polls_until_it_shows("before")
    expect(hers.pill).to_have_text("Connected by polling")
    deploy.at_once()
    bob.say(chat, "after")
    polls_until_it_shows("before", "after")
    hers.say("hers")
    hers.act("hers", "delete")
    hers.confirm()
    bob.say(chat, "and after that")
    polls_until_it_shows("before", "after", "Message deleted", "and after that")
