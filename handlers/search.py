"""Search in one's own chats."""

from contextlib import asynccontextmanager

from chat import search
from errors import Refused
from web.api_handler import ApiHandler
from web.openapi.operation import operation

MOST_OF_ONE_USER = 5  # under way or waiting: nobody's searches keep those of the others waiting


class Search(ApiHandler):
    noun = "Search"

    @operation(
        "searchMessages",
        "Search your chats",
        query=("text", "chatId", "before", "hits"),
        answers={200: "HitList"},
        errors=("not_found", "search_too_broad", "too_fast"),
    )
    async def get(self):
        """Newest first. `next` is the `before` of the following page."""
        query = self.query
        async with self._turn():
            found = await search.page(
                self.db,
                self.user_id,
                query["q"],
                chat_id=query.get("chatId"),
                before=query.get("before"),
                limit=query["limit"],
            )
        self.answer_json(found)

    @asynccontextmanager
    async def _turn(self):
        """One of the few searches that an instance runs at once. Raises `Refused`: too_fast."""
        searchers = self.services.searchers
        if searchers[self.user_id] >= MOST_OF_ONE_USER:
            raise Refused("too_fast", retry_after=1)
        searchers[self.user_id] += 1
        try:
            async with self.services.searches:
                yield
        finally:
            searchers[self.user_id] -= 1
            if not searchers[self.user_id]:
                del searchers[self.user_id]
