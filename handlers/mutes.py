"""Muting a chat for oneself."""

from chat import mutes
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Mute(ApiHandler):
    noun = "Chats"

    @operation("muteChat", "Mute a chat for yourself", answers={204: None}, mutation=True)
    async def put(self, chat_id):
        """Only you see it, as `muted` in the chat. Messages and counts go on coming."""
        await mutes.put(self.db, self.user_id, chat_id, True)
        self.nothing()

    @operation("unmuteChat", "Hear of a muted chat again", answers={204: None}, mutation=True)
    async def delete(self, chat_id):
        await mutes.put(self.db, self.user_id, chat_id, False)
        self.nothing()
