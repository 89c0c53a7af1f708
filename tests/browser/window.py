"""One window of a browser, as the person before it sees and uses it. Everything waits for what it names, with a deadline."""

import json
import re

from playwright.sync_api import Page, expect

DEADLINE_MS = 15_000

# What a page may not do unnoticed: the policy also reports what no script of ours sees.
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} refused ${event.blockedURI || event.sample}`));"""


class Window:
    """A page at `url`. Whatever its console calls an error is kept in `errors`, until a test says that it expected it."""

    def __init__(self, page: Page, url: str, person=None):
        self.page, self.url, self.person = page, url, person
        self.errors, self._expected, self.instances = [], [], []
        page.on("console", lambda message: message.type == "error" and self._note(message.text))
        page.on("pageerror", lambda error: self._note(f"{error}\n{error.stack or ''}"))
        page.on("websocket", self._listen)
        page.add_init_script(WATCH_POLICY)

    def _note(self, text):
        self.errors.append(text)

    def _listen(self, socket):
        def received(payload):
            frame = json.loads(payload)
            if frame["type"] == "welcome":
                self.instances.append(frame["instance"])

        socket.on("framereceived", received)

    @property
    def unexpected(self) -> list:
        """The errors that no test expected."""
        return [text for text in self.errors if not any(re.search(pattern, text) for pattern in self._expected)]

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
        """Points at a message and presses a button of its toolbar."""
        row = self.message(text)
        row.hover()
        row.locator(f'.message-actions [data-action="{action}"]').click()

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
