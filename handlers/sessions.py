"""Where one is signed in: browsers and programs, to look at and to end."""

from chat import sessions
from handlers.accounts import AccountHandler
from web.openapi.operation import operation


class OwnSessions(AccountHandler):
    @operation("listSessions", "Where you are signed in", query=("after", "limit"), answers={200: "SessionList"})
    async def get(self):
        """Sessions of browsers and tokens of programs, the newest first."""
        self.answer_json(
            await sessions.live(self.db, self.login, after=self.query.get("after"), limit=self.query["limit"])
        )

    @operation("endOtherSessions", "Sign out everywhere else", answers={204: None}, mutation=True)
    async def delete(self):
        """Every session of the user ends but the one that asks, on every instance."""
        self.ended(await sessions.end_others(self.db, self.login))
        self.nothing()


class OwnSession(AccountHandler):
    @operation("endSession", "Sign out of one of your sessions", answers={204: None}, mutation=True)
    async def delete(self, session_id):
        """It ends on every instance. Ending an ended session changes nothing."""
        await sessions.end(self.db, self.login, session_id)
        self.ended([session_id])
        self.nothing()
