"""The channels, declared once. Subscriptions, routing, states, metric labels and contract tests are derived from `CHANNELS`."""

from dataclasses import dataclass
from enum import Enum

from chat import reads, unread
from chat.states import State


class Kind(Enum):
    LOGGED = "logged"  # takes a seq in its chat; never lost, never doubled, in order
    PROJECTION = "projection"  # a logged event for another audience, with the same seq; not replayed
    STATE = "state"  # an absolute value, the newest wins; sent afresh on resume


class Audience(Enum):
    PARTICIPANTS = "participants of the chat"
    OTHERS = "participants but the sender"
    USER = "the user that it names"


@dataclass(frozen=True)
class Channel:
    name: str
    kind: Kind
    audience: Audience
    fields: tuple[str, ...]  # the object's keys, in this order
    projects: str | None = None  # the logged channel that a projection is derived from
    default: bool = False  # sent to clients that do not say which channels they want; part of docs/protocol.md
    state: State | None = None  # of a state channel: which value replaces which, and how the present ones are read
    unread_of: Audience | None = None  # whose unread counts it changes


_MESSAGE = ("id", "content", "senderId", "chatId", "createdAt", "isEdited", "editedAt")
_CHAT = ("id", "name", "description", "chatType", "participantIds", "createdAt", "updatedAt")
_NOTICE = ("chatId", "message", "senderId")

CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("messageAdded", Kind.LOGGED, Audience.PARTICIPANTS, _MESSAGE, unread_of=Audience.PARTICIPANTS),
        Channel("messageUpdated", Kind.LOGGED, Audience.PARTICIPANTS, _MESSAGE),
        Channel(
            "messageDeleted", Kind.LOGGED, Audience.PARTICIPANTS, ("id", "chatId"), unread_of=Audience.PARTICIPANTS
        ),
        Channel("chatAdded", Kind.LOGGED, Audience.PARTICIPANTS, _CHAT),
        Channel("chatUpdated", Kind.LOGGED, Audience.PARTICIPANTS, _CHAT),
        Channel("chatMessageNotification", Kind.PROJECTION, Audience.OTHERS, _NOTICE, projects="messageAdded"),
        Channel("messageUpdateForChatList", Kind.PROJECTION, Audience.OTHERS, _NOTICE, projects="messageAdded"),
        Channel(
            "unreadCountUpdated",
            Kind.STATE,
            Audience.USER,
            ("chatId", "userId", "unreadCount"),
            state=unread.STATE,
            default=True,
        ),
        Channel(
            "messageReadUpdated",
            Kind.STATE,
            Audience.PARTICIPANTS,
            ("messageId", "userId", "readAt"),
            state=reads.STATE,
            default=True,
            unread_of=Audience.USER,
        ),
    )
}

LOGGED = frozenset(name for name, channel in CHANNELS.items() if channel.kind is Kind.LOGGED)
PROJECTIONS = frozenset(name for name, channel in CHANNELS.items() if channel.kind is Kind.PROJECTION)
STATES = {name: channel.state for name, channel in CHANNELS.items() if channel.state is not None}
ABOUT_CHATS = frozenset(name for name, channel in CHANNELS.items() if channel.fields is _CHAT)
DEFAULT = frozenset(name for name, channel in CHANNELS.items() if channel.default) - LOGGED


def projections_of(name: str) -> tuple[str, ...]:
    """The projections derived from the logged channel `name`, in the table's order."""
    return tuple(channel.name for channel in CHANNELS.values() if channel.projects == name)
