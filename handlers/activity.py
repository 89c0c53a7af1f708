"""The Activity page and its stream, `/ws/activity`. Who may watch: the server's owners, and with `DEMO` everybody."""

from urllib.parse import urlencode

from handlers.pages import Page
from handlers.stream import StreamHandler
from realtime.frames import Close
from realtime.wire import Wire


def may_watch(services, session) -> bool:
    """Whether the user of this session may see the instances and the way of every message."""
    return session.owner or services.settings.demo


class Activity(Page):
    async def get(self):
        if self.session is None:
            self.redirect("/sign-in?" + urlencode({"next": self.request.path}))
            return
        may = may_watch(self.services, self.session)
        self.set_status(200 if may else 403)
        self.show("activity.html", may_watch=may, demo=self.services.settings.demo)


class ActivityStream(StreamHandler):
    """What the instances do, told to one viewer; it says nothing itself."""

    max_message_size = 1024
    may_watch = False

    async def prepare(self):
        await super().prepare()
        self.may_watch = self.session is not None and may_watch(self.services, self.session)

    def open(self):
        if self.session is not None and not self.may_watch:
            self.close(Close.FORBIDDEN, "for the server's owners")
        else:
            super().open()

    def connect(self, wire: Wire):
        return self.services.delivery.activity.watch(self.session.id, wire, self.close)

    def on_message(self, message):
        self.close(Close.BAD_FRAME, "nothing is said here")
