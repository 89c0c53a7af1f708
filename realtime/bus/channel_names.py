"""The names on Redis of what is published: one channel for all chats, or with `CHANNEL_SCOPE=chat` one for each chat. Pure."""

from chat.channels import ABOUT_CHATS, CHANNELS, PROJECTIONS

CONTROL = "parley:control"
TYPING = "parley:typing"
PRESENCE = "parley:presence"
ACTIVITY = "parley:activity"

# What is about a chat itself is for people who are not in it yet, and whose instance does not listen to it: everybody has to hear that.
OF_CHATS = (*(name for name in CHANNELS if name not in ABOUT_CHATS), TYPING)
# A projection tells nothing that its message does not.
HEARD_OF_CHATS = tuple(name for name in OF_CHATS if name not in PROJECTIONS)
ALL = (*CHANNELS, CONTROL, TYPING, PRESENCE, ACTIVITY)


class ChannelNames:
    """`scope` is the setting `CHANNEL_SCOPE`. `everywhere`: the channels that every instance hears."""

    def __init__(self, scope: str = "all"):
        self.by_chat = scope == "chat"
        self.everywhere = tuple(name for name in ALL if name not in OF_CHATS) if self.by_chat else ALL

    def of(self, channel: str, chat_id: str) -> str:
        """Where something of this chat is published."""
        return f"{channel}.{chat_id}" if self.by_chat and channel in OF_CHATS else channel

    def of_chat(self, chat_id: str) -> list[str]:
        """What an instance hears of a chat that is watched there, besides `everywhere`."""
        return [self.of(channel, chat_id) for channel in HEARD_OF_CHATS] if self.by_chat else []


def channel_of(address: str) -> str:
    """The channel, as metrics and traces name it."""
    return address.partition(".")[0]
