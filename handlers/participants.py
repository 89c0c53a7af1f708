"""Who is in a group: add, remove, leave."""

from chat import chats
from handlers.chats import distinct
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Participants(ApiHandler):
    noun = "Participants"

    @operation(
        "addParticipants",
        "Add people to a group",
        body="NewParticipants",
        answers={200: "Chat"},
        mutation=True,
        logged=True,
        errors=("direct_chat_is_fixed", "too_many_participants"),
    )
    async def post(self, chat_id):
        """Any participant may. Those who are in it already stay."""
        await self.committed(
            await chats.add(
                self.db, self.user_id, self.op, chat_id, distinct(self.body["userIds"]), self.limits.max_participants
            )
        )


class Participant(ApiHandler):
    noun = "Participants"

    @operation(
        "removeParticipant",
        "Remove somebody from a group, or leave it",
        answers={204: None},
        mutation=True,
        logged=True,
        errors=("direct_chat_is_fixed", "not_the_owner"),
    )
    async def delete(self, chat_id, user_id):
        """The owner removes anybody, everybody may leave. The longest there becomes owner after one who left."""
        await self.committed(await chats.remove(self.db, self.user_id, self.op, chat_id, user_id), 204)
