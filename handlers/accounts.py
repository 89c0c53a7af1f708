"""Signing up, in and out; one's own name and password."""

from chat import users
from web.api_handler import ApiHandler
from web.openapi.operation import Access, operation


class AccountHandler(ApiHandler):
    noun = "Accounts"

    def signed_in(self, answer: dict, status: int):
        """The token in the body for programs, in a cookie for browsers."""
        self.set_session_cookie(answer["token"])
        self.xsrf_token  # noqa: B018  sets its cookie where there is none
        self.answer_json(answer, status)

    def ended(self, session_ids: list[str]):
        """These sessions are over: their tokens and their sockets, here and everywhere."""
        for session_id in session_ids:
            self.services.node.session_ended(session_id)

    @property
    def user_agent(self) -> str:
        return self.request.headers.get("User-Agent", "")


class SignUp(AccountHandler):
    @operation(
        "signUp",
        "Create an account and sign in",
        body="NewAccount",
        answers={201: "SignedIn"},
        access=Access.PUBLIC,
        mutation=True,
        errors=(
            "username_taken",
            "invitation_needed",
            "invitation_invalid",
            "too_many_attempts",
            "idempotency_key_reused",
            "unavailable",
        ),
    )
    async def post(self):
        """The first account owns the server. The answer sets the session cookie as well."""
        display_name = self.body.get("displayName")
        self.signed_in(
            await self.services.accounts.sign_up(
                self.given_op,
                self.body["username"],
                self.body["password"],
                display_name and display_name.strip(),
                self.address,
                self.user_agent,
                self.body.get("invitation"),
            ),
            201,
        )


class SignIn(AccountHandler):
    @operation(
        "signIn",
        "Sign in",
        body="Credentials",
        answers={200: "SignedIn"},
        access=Access.PUBLIC,
        mutation=True,
        errors=("wrong_credentials", "too_many_attempts", "idempotency_key_reused", "unavailable"),
    )
    async def post(self):
        """The answer sets the session cookie as well. It does not tell whether name or password was wrong."""
        self.signed_in(
            await self.services.accounts.sign_in(
                self.given_op, self.body["username"], self.body["password"], self.address, self.user_agent
            ),
            200,
        )


class SignOut(AccountHandler):
    @operation("signOut", "End this session everywhere", answers={204: None}, access=Access.TOKEN, mutation=True)
    async def post(self):
        """Its token is void and its sockets are closed, on every instance. Ending an ended session changes nothing."""
        token = self.credentials.token
        session = await self.services.accounts.sign_out(token)
        self.services.node.session_ended(session.id)
        self.clear_cookie(self.session_cookie, path="/", secure=self.is_secure, httponly=True, samesite="Lax")
        self.nothing()


class Me(AccountHandler):
    @operation("me", "Who is signed in", answers={200: "Me"})
    async def get(self):
        self.answer_json(await users.me(self.db, self.user_id))

    @operation("updateMe", "Change how others see you", body="MeChange", answers={200: "Me"}, mutation=True)
    async def patch(self):
        """Others see the new name when they next ask for the user."""
        self.answer_json(await users.rename(self.db, self.user_id, self.body["displayName"].strip()))


class Password(AccountHandler):
    @operation(
        "changePassword",
        "Change your password",
        body="PasswordChange",
        answers={204: None},
        mutation=True,
        errors=("wrong_password", "too_many_attempts"),
    )
    async def put(self):
        """All other sessions of the user end, on every instance."""
        self.ended(
            await self.services.accounts.change_password(
                self.login, self.body["currentPassword"], self.body["newPassword"], self.address
            )
        )
        self.nothing()
