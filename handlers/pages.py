"""The pages that browsers open; everything in them is drawn by static/js."""

import re
from urllib.parse import urlencode

from chat import invitations, users
from web.base_handler import Base
from web.openapi.shapes import MOST_PASSWORD_CHARS

# Where a signed-in visitor of the sign-in page may be sent on to: our own pages, nothing that looks like one.
_OWN_PAGE = re.compile(r"/(settings|activity|chats/[0-9a-fA-F-]{36}(/messages/[0-9a-fA-F-]{36})?)\Z")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


class Page(Base):
    """Parent of the pages."""

    default_headers = {
        **Base.default_headers,
        "Cache-Control": "no-store",
    }  # so that Back after signing out shows nothing

    def head(self, *path):
        return self.get(*path)

    async def prepare(self):
        await self.find_session()

    def show(self, template: str, **values):
        """Answer a page, and see that the browser has the XSRF token for what it does next."""
        self.xsrf_token  # noqa: B018  sets its cookie where there is none
        settings = self.services.settings
        self.set_header("Content-Type", "text/html; charset=utf-8")
        told = {
            "maxMessageChars": settings.max_message_chars,
            "maxNameChars": settings.max_name_chars,
            "minPasswordChars": settings.min_password_chars,
            "maxPasswordChars": MOST_PASSWORD_CHARS,
            "invitationDays": settings.invitation_days,
            "invitationUses": settings.invitation_uses,
            "signUp": settings.sign_up,
        }
        self.finish(self.settings["templates"].get_template(template).render(settings=told, **values))


class App(Page):
    """The chats; also at the address of a chat and of a message."""

    async def get(self, *path):
        if self.session is None:
            here = self.request.path
            self.redirect("/sign-in" if here == "/" else "/sign-in?" + urlencode({"next": here}))
            return
        if self.credentials.by_cookie:
            self.set_session_cookie(self.credentials.token)  # who comes back in time stays signed in
        self.show("app.html", user=await users.me(self.services.db, self.session.user_id), may_watch=self.may_watch)


class AccountPage(Page):
    """Parent of the pages for those who are not signed in; who is, is sent on."""

    async def prepare(self):
        # Two instances that remember differently for a moment would send the browser to and fro.
        await self.find_session(fresh=True)

    async def get(self, *path):
        if self.session is not None:
            wanted = self.request.query_arguments.get("next", [b""])[-1].decode("latin1")
            self.redirect(wanted if _OWN_PAGE.match(wanted) else "/")
            return
        await self.visit(*path)

    def closed(self, state: str | None, status: int = 200):
        """Instead of a sign-up: why there is none here."""
        self.set_status(status)
        self.show("join.html", state=state)


class SignIn(AccountPage):
    async def visit(self):
        if await self.services.accounts.inhabited():
            self.show("sign_in.html")
        else:
            self.redirect("/sign-up")


class SignUp(AccountPage):
    async def visit(self):
        inhabited = await self.services.accounts.inhabited()
        if inhabited and not self.services.accounts.open:
            self.closed("needed")
        else:
            self.show("sign_up.html", first=not inhabited, invitation=None)


class Join(AccountPage):
    """Where an invitation's link leads."""

    async def visit(self, token):
        state, inviter = await invitations.state(self.services.db, token) if _TOKEN.match(token) else (None, None)
        if state == "valid":
            self.show(
                "sign_up.html", first=False, invitation={"token": token, "by": inviter, "host": self.request.host}
            )
        elif self.services.accounts.open:
            self.redirect("/sign-up")
        else:
            self.closed(state, 410 if state else 404)
