"""A visit of the page, signed in, in a real Chromium on a slow line: what is asked for, and when the chats are there."""

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench import report

ROUND_TRIP_MS = 100
BYTES_PER_SECOND = 1_500_000 / 8
RUNS = 7
CHATS = 30
MESSAGES = 20  # in each chat
SECONDS = 30.0
TODAY_MS = 1800.0  # before there were builds; measured beside this build by AGAINST
SHARE = 0.35

_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# When the first row of a chat is painted, in milliseconds since the navigation began.
_WATCH = """new MutationObserver((changes, observer) => {
  if (!document.querySelector("#chats [data-chat-id]")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame((now) => { window.chatsDrawnAt = now; }));
}).observe(document, { subtree: true, childList: true, attributes: true });"""


class Missing(Exception):
    """Chromium or what drives it is not on this machine."""


@dataclass(frozen=True)
class Visit:
    """`requests` for static files that reached the server, and milliseconds until the chats were drawn."""

    requests: int
    drawn_ms: float


def visit(stage):
    """The first visit of a browser that has nothing, and the second of the same browser, without nginx and behind it."""
    with stage.database() as people:
        people.add(CHATS + 1)
        chats = people.chats([(0, number) for number in range(1, CHATS + 1)], "direct")
        people.seed(chats, MESSAGES, sender=1)
        people.rows("analyze")
        try:
            with stage.instance(people) as instance, stage.nginx([instance.address]) as nginx, _chromium() as browser:
                ways = {"an instance": instance.url, "nginx": nginx.url}
                found = {way: [] for way in ways}
                for run in range(RUNS + 1):
                    for way, url in ways.items():
                        both = _two_visits(browser, instance, url, people.token(0))
                        if run:
                            found[way].append(both)
        except Missing as why:
            yield report.not_run("visit", "the page, signed in", str(why))
            return
    for way, visits in found.items():
        first, second = zip(*visits, strict=True)
        requests, drawn = max(one.requests for one in second), median(one.drawn_ms for one in second)
        yield report.at_most(
            "visit", f"second visit through {way}: requests for static files", requests, 0, str(requests), "0"
        )
        yield report.at_most(
            "visit",
            f"second visit through {way}: until the chats are there",
            drawn,
            SHARE * TODAY_MS,
            f"{drawn:.0f} ms ({min(one.drawn_ms for one in second):.0f} to {max(one.drawn_ms for one in second):.0f})",
            f"≤ {SHARE:g} × {TODAY_MS / 1000:g} s",
        )
        yield report.shown(
            "visit",
            f"first visit through {way}: requests for static files, until the chats are there",
            f"{median(one.requests for one in first):.0f}, {median(one.drawn_ms for one in first):.0f} ms",
        )


@contextmanager
def _chromium():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as why:
        raise Missing("Playwright is not installed") from why
    if (path := next(filter(None, map(shutil.which, _BROWSERS)), None)) is None:
        raise Missing("no Chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser
        finally:
            browser.close()


def _two_visits(browser, instance, url, token) -> tuple[Visit, Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        cookie = {"name": "parley-session", "value": token, "url": url, "sameSite": "Lax", "httpOnly": True}
        context.add_cookies([cookie])
        return _visit(context, instance, url), _visit(context, instance, url)
    finally:
        context.close()


def _visit(context, instance, url) -> Visit:
    before = _static_requests(instance)
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": ROUND_TRIP_MS,
            "downloadThroughput": BYTES_PER_SECOND,
            "uploadThroughput": BYTES_PER_SECOND,
        },
    )
    page.add_init_script(_WATCH)
    page.goto(url, timeout=SECONDS * 1000)
    drawn = page.wait_for_function("() => window.chatsDrawnAt", timeout=SECONDS * 1000).json_value()
    page.wait_for_selector("#connection[data-phase=live]", state="attached", timeout=SECONDS * 1000)
    page.close()
    return Visit(_static_requests(instance) - before, drawn)


def _static_requests(instance) -> int:
    """As the instance has counted them: also what a browser only asks whether it has changed."""
    _, text = instance.get("/metrics")
    counts = re.findall(
        r'^parley_request_seconds_count\{.*route="/(?:static/|favicon)[^"]*".*\} (\S+)$', text.decode(), re.MULTILINE
    )
    return round(sum(map(float, counts)))
