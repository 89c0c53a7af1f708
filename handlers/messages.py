"""Messages: page, send, edit, delete."""

from chat import messages
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Messages(ApiHandler):
    noun = "Messages"

    @operation(
        "listMessages",
        "A page of a chat's messages, oldest first",
        query=("before", "after", "around", "limit"),
        answers={200: "MessageList"},
    )
    async def get(self, chat_id):
        """The newest page, or the one before, after or around a message.

        `next` is the id to go on with in the same direction.
        """
        query = self.query
        self.answer_json(
            await messages.page(
                self.db,
                self.user_id,
                chat_id,
                before=query.get("before"),
                after=query.get("after"),
                around=query.get("around"),
                limit=query["limit"],
            )
        )

    @operation(
        "sendMessage", "Send a message", body="MessageText", answers={201: "Message"}, mutation=True, logged=True
    )
    async def post(self, chat_id):
        await self.committed(
            await messages.send(
                self.db, self.user_id, self.op, chat_id, self.body["content"], self.limits.unread_publish_limit
            ),
            201,
        )


class Message(ApiHandler):
    noun = "Messages"

    @operation(
        "editMessage",
        "Edit your message",
        body="MessageText",
        answers={200: "Message"},
        mutation=True,
        logged=True,
        errors=("not_the_sender", "message_is_deleted"),
    )
    async def patch(self, message_id):
        await self.committed(await messages.edit(self.db, self.user_id, self.op, message_id, self.body["content"]))

    @operation(
        "deleteMessage", "Delete a message", answers={204: None}, mutation=True, logged=True, errors=("not_the_sender",)
    )
    async def delete(self, message_id):
        """Your own, or in your group anybody's. A tombstone without text stays in its place."""
        await self.committed(
            await messages.delete(self.db, self.user_id, self.op, message_id, self.limits.unread_publish_limit), 204
        )
