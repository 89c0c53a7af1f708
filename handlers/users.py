"""The people of this server."""

from chat import users
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Users(ApiHandler):
    noun = "Users"

    @operation("searchUsers", "List or search users", query=("q", "after", "limit"), answers={200: "UserList"})
    async def get(self):
        """By username, in pages."""
        query = self.query.get("q", "").strip()
        self.answer_json(await users.search(self.db, query, after=self.query.get("after"), limit=self.query["limit"]))


class User(ApiHandler):
    noun = "Users"

    @operation("getUser", "One user", answers={200: "User"})
    async def get(self, user_id):
        self.answer_json(await users.get(self.db, user_id))
