"""Takes the pictures of this folder: `make screenshots`.

Starts a cluster as the tests do, lets people talk in it, moves what they said to the times that the script below
names, and photographs it in the Chromium of this machine with the fonts that it finds there: those in the repository
have Inter (the Debian package fonts-inter) as the machine's sans serif. On the Activity page the clock is the real one.
"""

import contextlib
import random
import shutil
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
from playwright.sync_api import expect, sync_playwright

from local.instance import migrate
from local.postgres import Postgres
from local.processes import free_port
from tests.browser.person import Person
from tests.browser.window import DEADLINE_MS, Window, launch
from tests.services import Cluster, chromium_path

HERE = Path(__file__).parent
NOW = datetime(2026, 6, 19, 14, 7, tzinfo=timezone.utc)  # a Friday
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}

PEOPLE = {
    "mira": "Mira Sandoval",
    "jonas": "Jonas Weber",
    "amara": "Amara Okafor",
    "leo": "Leo Tanaka",
    "sofie": "Sofie Lindqvist",
}
ME = "mira"

# Chat: its people, its description, and what they said: days ago, at, who, what. Mira has not read what comes after `…`.
CHATS = {
    "Book club": (
        ["sofie", "amara", ME],
        None,
        [
            (9, "20:15", "sofie", "So it is decided: we read the short one."),
            (9, "20:16", ME, "The short one it is"),
        ],
    ),
    "Neighbours 14–22": (
        ["leo", "jonas", "sofie", ME],
        "For the staircase, parcels and lost cats",
        [
            (3, "08:02", "leo", "A parcel for number 18 is with me"),
            (3, "08:40", "sofie", "Mine, thank you! I'll fetch it tonight"),
        ],
    ),
    "leo": (
        ["leo", ME],
        None,
        [
            (1, "17:20", "leo", "Can I borrow your ladder on Sunday?"),
            (1, "17:31", ME, "Of course, it stands in the hall"),
        ],
    ),
    "jonas": (
        ["jonas", ME],
        None,
        [
            (1, "21:48", ME, "Are you bringing the speakers?"),
            (0, "09:05", "jonas", "Both of them. And the long cable."),
            (0, "09:06", ME, "You are a treasure"),
        ],
    ),
    "Band practice": (
        ["leo", "amara", "jonas", ME],
        None,
        [
            (0, "12:10", ME, "I can be there at seven"),
            "…",
            (0, "13:31", "leo", "Same room as last week?"),
            (0, "13:35", "amara", "Yes, but bring your own stands"),
            (0, "13:52", "leo", "Will do"),
        ],
    ),
    "amara": (
        ["amara", ME],
        None,
        [
            (1, "19:02", ME, "How was the exam?"),
            "…",
            (0, "14:01", "amara", "Passed!! I'll tell you everything tonight"),
        ],
    ),
    "Harbour festival": (
        ["jonas", ME, "amara", "leo", "sofie"],
        "Saturday 20 June, pier 4, from noon",
        [
            (1, "18:41", "jonas", "The city has said yes! All the times: https://festival.example/plan"),
            (1, "18:44", ME, "Wonderful! I'll tell the food stalls tonight."),
            (1, "18:52", "sofie", "Do we still need somebody for the stage?"),
            (1, "18:53", "sofie", None),
            (1, "19:05", ME, "Yes, from four to six. Two people would be better than one."),
            (0, "13:44", "amara", "Then Leo and I take the stage. We know that mixer anyway."),
            (0, "13:46", "leo", "Agreed. I'm there at three for the sound check *"),
            (0, "13:58", ME, "Perfect. And it will be 24 degrees with hardly any wind."),
            (0, "14:05", "jonas", "And I'll bring the raincoats, just to be sure."),
            (0, "14:06", ME, "You would"),
        ],
    ),
}
OPEN = "Harbour festival"
# The colour of a face follows from an id: these look well beside each other, and are the same in every picture ever taken.
COLOURS = {"mira": 3, "jonas": 0, "amara": 5, "leo": 1, "sofie": 7,
           "Harbour festival": 4, "Band practice": 6, "Neighbours 14–22": 2, "Book club": 3}  # fmt: skip


def time_of(days_ago: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return NOW.replace(hour=hour, minute=minute) - timedelta(days=days_ago)


def colour_of(id_: str) -> int:
    """As static/js/ui/avatar.js has it."""
    value = 0
    for letter in id_:
        value = (value * 31 + ord(letter)) % 2**32
    return value % 8


class Story:
    """The people and what they have said, in the cluster's database."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.people = {name: self._person(name) for name in PEOPLE}
        self.chats = {}
        for title, (names, description, lines) in CHATS.items():
            self.chats[title] = self._chat(title, names, description)
            self._talk(self.chats[title], lines)

    def _person(self, name):
        while (
            colour_of((person := Person(self.cluster.url, self.cluster.database, name, PEOPLE[name])).id)
            != COLOURS[name]
        ):
            self._sql("delete from sessions where user_id = %s", person.id)
            self._sql("delete from users where id = %s", person.id)
        return person

    def _sql(self, text, *values):
        with (
            contextlib.closing(psycopg2.connect(self.cluster.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(text, values)

    def _chat(self, title, names, description):
        first, *others = [self.people[name] for name in names]
        if title in PEOPLE:
            return first.direct(others[0])
        while colour_of(chat := first.group(title, *others, description=description)) != COLOURS[title]:
            first.call("DELETE", f"/api/chats/{chat}")
        return chat

    def _talk(self, chat, lines):
        times, message, seen = {}, None, None
        for line in lines:
            if line == "…":
                seen = seen or message
                continue
            days_ago, clock, name, text = line
            edited = text is not None and text.endswith(" *")
            (message,) = self.people[name].say(chat, (text or "nobody knows").removesuffix(" *"))
            times[message] = time_of(days_ago, clock)
            if text is None:
                self.people[name].call("DELETE", f"/api/messages/{message}")
            elif edited:
                self.people[name].call("PATCH", f"/api/messages/{message}", {"content": text[:-2] + "!"})
        everybody = self.people[ME].call("GET", f"/api/chats/{chat}")["participantIds"]
        for person in self.people.values():
            if person.id in everybody:
                person.read(seen or message if person is self.people[ME] else message)
        self._move(chat, times)

    def _move(self, chat, times):
        for message, at in times.items():
            self._sql(
                "update messages set created_at = %s, edited_at = edited_at - now() + %s where id = %s", at, at, message
            )
        begun = min(times.values()) - timedelta(days=4)
        self._sql("update chats set created_at = %s, active_at = %s where id = %s", begun, max(times.values()), chat)


def show(browser, story, name, url, title=None, **options):
    context = browser.new_context(locale="en-GB", timezone_id="UTC", reduced_motion="reduce", **options)
    context.set_default_timeout(DEADLINE_MS)
    context.add_cookies([{"name": "parley-session", "value": story.people[name].token, "url": url}])
    window = Window(context.new_page())
    window.url = url
    window.page.clock.set_fixed_time(NOW)
    window.goto(f"/chats/{story.chats[title]}" if title else "/").is_live()
    expect(window.locator("#chats .skeleton")).to_have_count(0)
    if title:
        expect(window.bubbles).to_have_count(len(CHATS[title][2]))
        expect(window.bubbles.last).to_be_in_viewport()
    return window


def settings(browser, story, url):
    """Mira's settings, over the festival."""
    window = show(browser, story, ME, url, OPEN, color_scheme="light", **DESKTOP)
    # A Chromium without a screen refuses notifications; people are asked.
    window.page.evaluate("() => Object.defineProperty(Notification, 'permission', { value: 'default' })")
    window.locator("#you").click()
    window.locator("#show-settings").click()
    expect(window.locator("#settings .skeleton")).to_have_count(0)
    return window


def activity(browser, story, url, **options):
    """The Activity page of Mira, whose server it is."""
    context = browser.new_context(locale="en-GB", timezone_id="UTC", **options)
    context.set_default_timeout(DEADLINE_MS)
    context.add_cookies([{"name": "parley-session", "value": story.people[ME].token, "url": url}])
    window = Window(context.new_page())
    window.url = url
    window.goto("/activity")
    expect(window.locator("#verdict")).to_have_attribute("data-tone", "good")
    return window


def talk(story, window, seconds):
    """People write here and there, and read some of it; for the first 10 seconds Redis loses and doubles what passes through it."""
    chance = random.Random(7)
    story.people[ME].call("POST", "/api/demo/break", {"what": "disorder"})
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        title = chance.choice(list(CHATS))
        people = [story.people[name] for name in CHATS[title][0]]
        (message,) = chance.choice(people).say(story.chats[title], "And another thing")
        window.page.wait_for_timeout(chance.choice([150, 300, 600, 900]))
        if chance.random() < 0.5:
            chance.choice(people).read(message)


def photograph(window, name):
    assert not window.unexpected, window.unexpected
    window.page.mouse.move(1, 1)
    window.page.screenshot(path=HERE / name)
    print(f"docs/images/{name}")


def take(browser, story):
    first, second = [instance.url for instance in story.cluster.instances]
    mine = show(browser, story, ME, first, OPEN, color_scheme="light", **DESKTOP)
    # Amara writes something on another instance.
    hers = show(browser, story, "amara", second, OPEN, **DESKTOP)
    hers.field.press_sequentially("I have")
    expect(mine.locator("#typing")).to_have_text("Amara Okafor is typing…")
    photograph(mine, "chat.png")
    mine.page.emulate_media(color_scheme="dark")
    mine.show_details()
    expect(mine.details.locator("#participants li")).to_have_count(5)
    photograph(mine, "details-dark.png")
    photograph(show(browser, story, ME, first, **PHONE, color_scheme="light"), "phone.png")
    photograph(show(browser, story, ME, first, OPEN, **PHONE, color_scheme="dark"), "phone-dark.png")
    photograph(settings(browser, story, first), "settings.png")

    light = activity(browser, story, first, color_scheme="light", **DESKTOP)
    dark = activity(browser, story, second, color_scheme="dark", **PHONE)
    talk(story, light, 15)
    expect(dark.locator("#verdict")).to_have_attribute("data-tone", "good")
    light.locator("#ways .is-repaired").first.click()
    photograph(light, "activity.png")
    photograph(dark, "activity-phone-dark.png")


def main():
    if chromium_path() is None:
        raise SystemExit("There is no Chromium on this machine: install the package chromium, or Google Chrome.")
    directory = Path(tempfile.mkdtemp(prefix="parley-", dir="/tmp"))
    directory.chmod(0o711)
    postgres = Postgres(
        directory / "postgres", directory / "pg", port=free_port(), password="pictures", options={"fsync": "off"}
    )
    try:
        postgres.start()
        postgres.create_database("parley")
        migrate(postgres.url("parley"))
        cluster = Cluster(directory, postgres, postgres.url("parley"), env={"DEMO": "true"})
        try:
            cluster.start()
            with sync_playwright() as playwright:
                take(launch(playwright), Story(cluster))
        finally:
            cluster.stop()
    finally:
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
