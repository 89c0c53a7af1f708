"""Search in one's own chats."""

from chat import search
from handlers.api import ApiHandler
from handlers.openapi.operation import operation


class Search(ApiHandler):
    noun = "Search"

    @operation("searchMessages", "Search your chats", query=("text", "chatId", "before", "hits"), answers={200: "HitList"},
               errors=("not_found", "search_too_broad"))
    async def get(self):
        """Newest first. `next` is the `before` of the following page."""
        query = self.query
        async with self.services.searches:
            found = await search.page(self.db, self.user_id, query["q"], chat_id=query.get("chatId"),
                                      before=query.get("before"), limit=query["limit"])
        self.answer_json(found)
