"""A visit of the page, signed in, in a real Chromium on a slow line: what is asked for, and when the chats are there."""

import re
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from bench import report
from bench.versus import Figure, compared

ROUND_TRIP_MS = 100
BYTES_PER_SECOND = 1_500_000 / 8
RUNS = 7
CHATS = 30
MESSAGES = 20  # in each chat
SECONDS = 30.0

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
    for way, behind_nginx in (("an instance", False), ("nginx", True)):
        try:
            with ready(stage, behind_nginx) as measure:
                found = [measure() for _ in range(RUNS + 1)][1:]
        except Missing as why:
            yield report.not_run("visit", f"the page, signed in, through {way}", str(why))
            continue
        requests, drawn = max(one["requests"] for one in found), [one["second"] for one in found]
        what = f"second visit through {way}"
        yield report.at_most("visit", f"{what}: requests for static files", requests, 0, str(requests), "0")
        figure = f"{median(drawn):.0f} ms ({min(drawn):.0f} to {max(drawn):.0f})"
        yield report.shown("visit", f"{what}: until the chats are there", figure)
        asked, drawn = median(one["first_requests"] for one in found), median(one["first"] for one in found)
        figure = f"{asked:.0f}, {drawn:.0f} ms"
        yield report.shown(
            "visit", f"first visit through {way}: requests for static files, until the chats are there", figure
        )


def between(sides):
    """The same, behind nginx, for two builds."""
    figures = {
        "requests": Figure("second visit: requests for static files", "requests"),
        "second": Figure("second visit: until the chats are there", "ms", 0.35),
        "first": Figure("first visit: until the chats are there", "ms"),
    }
    try:
        yield from compared("visit", sides, figures, ready, times=1, runs=RUNS)
    except Missing as why:
        yield report.not_run("visit", "the page, signed in, behind nginx", str(why))


@contextmanager
def ready(stage, behind_nginx=True):
    """`measure()` makes two visits with one new browser: `requests` for static files and milliseconds (`second`) of the second one, and
    `first_requests` and `first` of the first. Raises `Missing`."""
    with ExitStack() as stack:
        people = stack.enter_context(stage.database())
        people.add(CHATS + 1)
        chats = people.chats([(0, number) for number in range(1, CHATS + 1)], "direct")
        people.seed(chats, MESSAGES, sender=1)
        people.rows("analyze")
        instance = stack.enter_context(stage.instance(people))
        url = stack.enter_context(stage.nginx([instance.address])).url if behind_nginx else instance.url
        browser = stack.enter_context(_chromium())

        def measure() -> dict:
            first, second = _two_visits(browser, instance, url, people.token(0))
            return {
                "requests": second.requests,
                "second": second.drawn_ms,
                "first_requests": first.requests,
                "first": first.drawn_ms,
            }

        yield measure


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
