"""One operation for each channel that publishes on it: what the contract of channels makes happen. A new channel adds its own here."""

from chat import chats, messages, reads
from tests.chat.conftest import key

LIMIT = 50


async def send(stage):
    """A message to somebody who has it unread: itself, its projections and their count."""
    return await messages.send(stage.db, stage.ada, key(), stage.chat, "A message", LIMIT)


async def edit(stage):
    return await messages.edit(stage.db, stage.ada, key(), stage.message, "Another text")


async def delete(stage):
    return await messages.delete(stage.db, stage.ada, key(), stage.message, LIMIT)


async def create(stage):
    return await chats.create(stage.db, stage.ada, key(), "group", "Another chat", None, [stage.bob], 100)


async def rename(stage):
    return await chats.update(stage.db, stage.ada, key(), stage.chat, {"name": "Another name"})


async def read(stage):
    return await reads.mark(stage.db, stage.ada, stage.answer)


PRODUCERS = {
    "messageAdded": send,
    "messageUpdated": edit,
    "messageDeleted": delete,
    "chatAdded": create,
    "chatUpdated": rename,
    "chatMessageNotification": send,
    "messageUpdateForChatList": send,
    "unreadCountUpdated": send,
    "messageReadUpdated": read,
}
