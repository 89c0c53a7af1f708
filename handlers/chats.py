"""Chats: list, create, read, rename, describe, delete."""

from chat import chats
from web.api_handler import ApiHandler
from web.openapi.operation import operation


def trimmed(text: str | None) -> str | None:
    """Names and descriptions without the space around them; a blank one is none."""
    return text and text.strip() or None


def distinct(ids: list[str]) -> list[str]:
    """Ids in lower case, each once."""
    return sorted({one.lower() for one in ids})


class Chats(ApiHandler):
    noun = "Chats"

    @operation(
        "listChats", "Your chats, most recently active first", query=("after", "limit"), answers={200: "ChatList"}
    )
    async def get(self):
        query = self.query
        self.answer_json(await chats.page(self.db, self.user_id, after=query.get("after"), limit=query["limit"]))

    @operation(
        "createChat",
        "Create a direct or a group chat",
        body="NewChat",
        answers={201: "Chat", 200: "Chat"},
        mutation=True,
        logged=True,
        errors=("not_found", "too_many_participants"),
    )
    async def post(self):
        """Who creates a group owns it. A direct chat that is there already is answered with 200 and stays as it is."""
        body = self.body
        outcome = await chats.create(
            self.db,
            self.user_id,
            self.op,
            body["chatType"],
            trimmed(body.get("name")),
            trimmed(body.get("description")),
            distinct(body["participantIds"]),
            self.limits.max_participants,
        )
        await self.committed(outcome, 200 if outcome.seq is None else 201)


class Chat(ApiHandler):
    noun = "Chats"

    @operation("getChat", "One chat, and how far each participant has read", answers={200: "ChatDetail"})
    async def get(self, chat_id):
        self.answer_json(await chats.get(self.db, self.user_id, chat_id))

    @operation(
        "updateChat",
        "Rename or describe a group",
        body="ChatChange",
        answers={200: "Chat"},
        mutation=True,
        logged=True,
        errors=("direct_chat_is_fixed",),
    )
    async def patch(self, chat_id):
        """Any participant may. What is left out stays; null removes it."""
        changed = {name: trimmed(text) for name, text in self.body.items()}
        await self.committed(await chats.update(self.db, self.user_id, self.op, chat_id, changed))

    @operation(
        "deleteChat",
        "Delete a chat for everybody",
        answers={204: None},
        mutation=True,
        logged=True,
        errors=("not_the_owner",),
    )
    async def delete(self, chat_id):
        """A group by its owner, a direct chat by either of the two."""
        await self.committed(await chats.delete(self.db, self.user_id, self.op, chat_id), 204)
