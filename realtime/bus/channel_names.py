"""The names of the channels on Redis: one for all chats or, with `CHANNEL_SCOPE=chat`, one for each chat. Pure."""

from chat.channels import ABOUT_CHATS, CHANNELS, PROJECTIONS

CONTROL = "parley:control"
TYPING = "parley:typing"
PRESENCE = "parley:presence"
ACTIVITY = "parley:activity"

# Events about a chat itself may be for people who are new in it, and whose instance does not follow it. So every instance receives them.
OF_CHATS = (*(name for name in CHANNELS if name not in ABOUT_CHATS), TYPING)
# An instance derives projections from their messages, so it need not receive them.
RECEIVED_OF_CHATS = tuple(name for name in OF_CHATS if name not in PROJECTIONS)
ALL = (*CHANNELS, CONTROL, TYPING, PRESENCE, ACTIVITY)


class ChannelNames:
    """`scope` is the setting `CHANNEL_SCOPE`. Every instance subscribes to the channels `everywhere`."""

    def __init__(self, scope: str = "all"):
        self.by_chat = scope == "chat"
        self.everywhere = tuple(name for name in ALL if name not in OF_CHATS) if self.by_chat else ALL

    def of(self, channel: str, chat_id: str) -> str:
        """The name under which a channel's messages of this chat are published."""
        return f"{channel}.{chat_id}" if self.by_chat and channel in OF_CHATS else channel

    def of_chat(self, chat_id: str) -> list[str]:
        """The further names that an instance subscribes to for a chat that its clients follow."""
        return [self.of(channel, chat_id) for channel in RECEIVED_OF_CHATS] if self.by_chat else []


def channel_of(name: str) -> str:
    """The channel that a name on Redis belongs to, as metrics and traces call it."""
    return name.partition(".")[0]
