"""Reading: up to where, and by whom."""

from chat import reads
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Read(ApiHandler):
    noun = "Reading"

    @operation("markRead", "Read a chat up to this message", answers={200: "Read"}, mutation=True)
    async def put(self, message_id):
        """Everything before it is read too. Reading what was read changes nothing and answers when that was."""
        await self.committed(await reads.mark(self.db, self.user_id, message_id))


class Reads(ApiHandler):
    noun = "Reading"

    @operation(
        "listReads", "Who has read a message, and when first", query=("after", "limit"), answers={200: "ReadList"}
    )
    async def get(self, message_id):
        """Its sender is left out. `next` is a user's id."""
        self.answer_json(
            await reads.of_message(
                self.db, self.user_id, message_id, after=self.query.get("after"), limit=self.query["limit"]
            )
        )
