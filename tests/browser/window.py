"""One window of a browser, as the person before it sees and uses it. Everything waits for what it names, with a deadline."""

import json
import re
import time

from playwright.sync_api import Browser, Page, Playwright, expect

from tests.services import chromium_arguments, chromium_path

DEADLINE_MS = 15_000
QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-quic", "--no-first-run",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

# What a page may not do unnoticed: the policy also reports what no script of ours sees.
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} refused ${event.blockedURI || event.sample}`));"""


def launch(playwright: Playwright) -> Browser:
    """This machine's Chromium; what it might do by itself is turned off."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=[*chromium_arguments(), *QUIET])


class Window:
    """A page of `person` at `url`. Whatever its console calls an error is unexpected, unless the test `expects` it.

    `instances` are the names of those that its sockets were greeted by, the latest last.
    """

    def __init__(self, page: Page, reusable: bool = False):
        self.page, self.reusable = page, reusable
        self._begin()
        page.on("console", lambda message: message.type == "error" and self._errors.append(message.text))
        page.on("pageerror", lambda error: self._errors.append(error.stack or str(error)))
        page.on("websocket", self._listen)
        page.add_init_script(WATCH_POLICY)

    def _begin(self):
        self.url, self.person = None, None
        self._errors, self._expected, self.instances = [], [], []

    def clean(self):
        """Leaves nothing of this test to the next."""
        context = self.page.context
        self.page.unroute_all(behavior="ignoreErrors")
        context.unroute_all(behavior="ignoreErrors")
        context.set_offline(False)
        # Heard after the page's own listeners, which still write.
        self.page.evaluate(
            "() => addEventListener('pagehide', () => [localStorage, sessionStorage].forEach((one) => one.clear()))"
        )
        self.page.goto("about:blank")
        context.clear_cookies()
        self._begin()

    def _listen(self, socket):
        def received(payload):
            frame = json.loads(payload)
            if frame["type"] == "welcome":
                self.instances.append(frame["instance"])

        socket.on("framereceived", received)

    @property
    def unexpected(self) -> list:
        """The errors that no test expected."""
        return [text for text in self._errors if not any(re.search(pattern, text) for pattern in self._expected)]

    def expects(self, *patterns: str):
        """Errors that match one of these belong to the test."""
        self._expected += patterns

    def expects_no_network(self):
        """Requests and sockets that fail belong to the test."""
        self.expects(r"Failed to load resource", r"WebSocket connection to .* failed")

    def __getattr__(self, name):
        """The rest is the page's own: `locator`, `get_by_role`, `keyboard` …"""
        return getattr(self.page, name)

    # Going somewhere

    def goto(self, path: str = "/"):
        self.page.goto(self.url + path)
        return self

    def is_live(self):
        """Waits until the stream is live."""
        expect(self.page.locator("#connection")).to_have_attribute("data-phase", "live")
        return self

    def open_chat(self, chat_id: str):
        """Opens a chat from the list."""
        self.row(chat_id).click()
        self.is_at(f"/chats/{chat_id}")
        return self

    def is_at(self, path: str):
        self.page.wait_for_url(self.url + path)

    # What is seen

    def row(self, chat_id: str):
        """A chat's row in the list."""
        return self.page.locator(f'#chats a[data-chat-id="{chat_id}"]')

    def badge(self, chat_id: str):
        """The unread count in a chat's row."""
        return self.row(chat_id).locator(".badge [aria-hidden]")

    @property
    def title(self):
        """The title of the open chat."""
        return self.page.locator("#chat-header h1")

    @property
    def bubbles(self):
        """The texts of the messages on the screen, deleted ones' notes included."""
        return self.page.locator("#messages .message .message-text")

    def message(self, text: str):
        """The row of the message with this text."""
        exact = re.compile(f"^{re.escape(text)}$")
        return self.page.locator("#messages .message").filter(has=self.page.locator(".message-text", has_text=exact))

    @property
    def field(self):
        """Where messages are written."""
        return self.page.locator("#composer-text")

    @property
    def dialog(self):
        return self.page.locator("dialog[open]")

    @property
    def details(self):
        return self.page.locator("#details")

    @property
    def pill(self):
        return self.page.locator("#connection")

    def until(self, condition, what: str):
        """Waits until `condition()` is true; for what is not on the screen."""
        deadline = time.monotonic() + DEADLINE_MS / 1000
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {what}"
            self.page.wait_for_timeout(20)

    def shows(self, *texts: str):
        """Waits until these, and only these, are the messages on the screen, in this order."""
        expect(self.bubbles).to_have_text(list(texts))
        return self

    # What is done

    def say(self, *texts: str):
        for text in texts:
            self.field.fill(text)
            self.field.press("Enter")
        return self

    def act(self, text: str, action: str):
        """Points at a message and chooses from its menu."""
        self.open_menu(text).locator(f'[data-action="{action}"]').click()

    def open_menu(self, text: str):
        """Points at a message and opens its menu; answers the menu."""
        row = self.message(text)
        expect(row).to_have_attribute("data-status", "stored")
        more = row.locator('.message-actions [data-action="more"]')

        def points():
            # Rows may move while the pointer is on its way, as for a face below one.
            row.hover()
            return more.count()

        self.until(points, f"the toolbar of {text}")
        more.click()
        return self.page.get_by_role("menu")

    def press_long(self, locator):
        """Rests a finger on something, on a touch screen."""
        box = locator.bounding_box()
        finger = self.page.context.new_cdp_session(self.page)
        points = [{"x": box["x"] + min(20, box["width"] / 2), "y": box["y"] + box["height"] / 2}]
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
        expect(self.dialog).to_be_visible()
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def confirm(self):
        self.dialog.locator("[data-confirm]").click()
        expect(self.dialog).to_have_count(0)

    def show_details(self):
        self.page.locator("#show-details").click()
        expect(self.details).to_be_visible()

    def look_away(self):
        """The person turns to another program: the window loses the focus."""
        self.page.evaluate("() => { document.hasFocus = () => false; dispatchEvent(new Event('blur')); }")

    def look_back(self):
        self.page.evaluate("() => { delete document.hasFocus; dispatchEvent(new Event('focus')); }")

    def sign_in(self, username: str, password: str):
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
