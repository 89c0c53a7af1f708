"""The pages that browsers open; everything in them is drawn by static/js."""

import re
from urllib.parse import urlencode

from chat import users
from handlers.base import Base

# Where a signed-in visitor of the sign-in page may be sent on to: our own pages, nothing that looks like one.
_OWN_PAGE = re.compile(r"/chats/[0-9a-fA-F-]{36}(/messages/[0-9a-fA-F-]{36})?\Z")


class Page(Base):
    """Parent of the pages."""

    def set_default_headers(self):
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")  # so that Back after signing out shows nothing

    def head(self, *path):
        return self.get(*path)

    async def prepare(self):
        await self.find_session()

    def show(self, template: str, user: dict | None = None):
        """Answer a page, and see that the browser has the XSRF token for what it does next."""
        self.xsrf_token  # noqa: B018  sets its cookie where there is none
        settings = self.services.settings
        self.set_header("Content-Type", "text/html; charset=utf-8")
        limits = {"maxMessageChars": settings.max_message_chars, "maxNameChars": settings.max_name_chars}
        self.finish(self.settings["templates"].get_template(template).render(user=user, settings=limits))


class App(Page):
    """The chats; also at the address of a chat and of a message."""

    async def get(self, *path):
        if self.session is None:
            here = self.request.path
            self.redirect("/sign-in" if here == "/" else "/sign-in?" + urlencode({"next": here}))
            return
        if self.credentials.by_cookie:
            self.set_session_cookie(self.credentials.token)  # who comes back in time stays signed in
        self.show("app.html", await users.get(self.services.db, self.session.user_id))


class SignIn(Page):
    template = "sign_in.html"

    def get(self):
        if self.session is not None:
            wanted = self.request.query_arguments.get("next", [b""])[-1].decode("latin1")
            self.redirect(wanted if _OWN_PAGE.match(wanted) else "/")
            return
        self.show(self.template)


class SignUp(SignIn):
    template = "sign_up.html"
