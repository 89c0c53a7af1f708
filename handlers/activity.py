"""The Activity page and its stream, `/ws/activity`."""

from urllib.parse import urlencode

from handlers.pages import Page
from handlers.stream import StreamHandler
from realtime.protocol.close_codes import Close
from realtime.transport.socket_writer import SocketWriter


class Activity(Page):
    async def get(self):
        if self.session is None:
            self.redirect("/sign-in?" + urlencode({"next": self.request.path}))
            return
        self.set_status(200 if self.may_watch else 403)
        self.show(
            "activity.html", may_watch=self.may_watch, demo=self.services.settings.demo, user_id=self.session.user_id
        )


class ActivityStream(StreamHandler):
    """What the instances do, told to one viewer; it says nothing itself."""

    first_message_bytes = 1024

    def connect(self, writer: SocketWriter, close):
        if not self.may_watch:
            close(Close.FORBIDDEN, "for the server's owners")
            return None
        return self.services.node.activity.watch(self.session.id, writer, close)
