"""A message as it goes over Redis, by docs/channels.md: what an instance publishes when somebody sends one."""

import json
from dataclasses import dataclass

COUNTED = 50  # participants beyond which no unread counts are published (UNREAD_PUBLISH_LIMIT)
CONTENT = "A message is about as long as this sentence. "


@dataclass(frozen=True)
class Message:
    """A committed message, with its chat's number of participants."""

    id: str
    chat: str
    sender: str
    content: str
    at: str
    seq: int
    participants: int

    @property
    def shown(self) -> dict:
        """As the channels and the pages of a chat show it."""
        return {
            "id": self.id,
            "content": self.content,
            "senderId": self.sender,
            "chatId": self.chat,
            "createdAt": self.at,
            "isEdited": False,
            "editedAt": None,
        }


def published(messages: list[Message], epoch: str) -> list[tuple[str, bytes]]:
    """The envelopes of these messages, in the order of docs/channels.md; without the counts, which small chats have besides."""
    batch = []
    for message in messages:
        meta = {"v": 1, "chatId": message.chat, "seq": message.seq, "epoch": epoch, "from": "web.9"}
        derive = {"unread": "derive"} if message.participants > COUNTED else {}
        notice = {"chatId": message.chat, "message": message.shown, "senderId": message.sender}
        batch.append(("messageAdded", _json({"messageAdded": message.shown, "_": {**meta, **derive}})))
        batch += [
            (name, _json({name: notice, "_": meta})) for name in ("chatMessageNotification", "messageUpdateForChatList")
        ]
    return batch


def _json(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
