"""Signing up, in and out."""

from chat import users
from handlers.api import ApiHandler
from handlers.openapi.operation import Access, operation


class AccountHandler(ApiHandler):
    noun = "Accounts"

    def signed_in(self, answer: dict, status: int):
        """The token in the body for programs, in a cookie for browsers."""
        self.set_session_cookie(answer["token"])
        self.xsrf_token  # noqa: B018  sets its cookie where there is none
        self.answer_json(answer, status)

    @property
    def user_agent(self) -> str:
        return self.request.headers.get("User-Agent", "")


class SignUp(AccountHandler):
    @operation("signUp", "Create an account and sign in", body="NewAccount", answers={201: "SignedIn"},
               access=Access.PUBLIC, mutation=True,
               errors=("username_taken", "too_many_attempts", "idempotency_key_reused", "unavailable"))
    async def post(self):
        """The answer sets the session cookie as well."""
        display_name = self.body.get("displayName")
        self.signed_in(await self.services.accounts.sign_up(
            self.given_op, self.body["username"], self.body["password"], display_name and display_name.strip(),
            self.address, self.user_agent), 201)


class SignIn(AccountHandler):
    @operation("signIn", "Sign in", body="Credentials", answers={200: "SignedIn"},
               access=Access.PUBLIC, mutation=True,
               errors=("wrong_credentials", "too_many_attempts", "idempotency_key_reused", "unavailable"))
    async def post(self):
        """The answer sets the session cookie as well. It does not tell whether name or password was wrong."""
        self.signed_in(await self.services.accounts.sign_in(
            self.given_op, self.body["username"], self.body["password"], self.address, self.user_agent), 200)


class SignOut(AccountHandler):
    @operation("signOut", "End this session everywhere", answers={204: None}, access=Access.TOKEN, mutation=True)
    async def post(self):
        """Its token is void and its sockets are closed, on every instance. Ending an ended session changes nothing."""
        token = self.credentials.token
        session = await self.services.accounts.sign_out(token)
        self.services.sessions.forget(token)
        self.services.delivery.session_ended(session.id)
        self.clear_cookie(self.session_cookie, path="/", secure=self.is_secure, httponly=True, samesite="Lax")
        self.nothing()


class Me(AccountHandler):
    @operation("me", "Who is signed in", answers={200: "User"})
    async def get(self):
        self.answer_json(await users.get(self.db, self.user_id))
