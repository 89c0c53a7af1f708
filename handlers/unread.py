"""Unread counts."""

from chat import unread
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class UnreadChats(ApiHandler):
    noun = "Reading"

    @operation("listUnread", "Your chats with unread messages, and their sum", answers={200: "UnreadList"})
    async def get(self):
        self.answer_json(await unread.of_user(self.db, self.user_id))


class UnreadChat(ApiHandler):
    noun = "Reading"

    @operation("getUnread", "Your unread count in one chat", answers={200: "Unread"})
    async def get(self, chat_id):
        self.answer_json(await unread.of_chat(self.db, self.user_id, chat_id))
