"""The frames that a client may send. It may be of a newer release, so what this one does not know is ignored. See docs/protocol.md."""

from dataclasses import dataclass, field
from datetime import datetime

import orjson

from chat.channels import CHANNELS, DEFAULT


class BadFrame(ValueError):
    """A frame that breaks the contract. The client gets the message and `field`."""

    def __init__(self, message: str, field: str | None = None):
        super().__init__(message)
        self.field = field


@dataclass(slots=True)
class Hello:
    """The first frame. `channels` has only those that this instance knows."""

    epoch: str | None = None
    cursors: dict[str, int] = field(default_factory=dict)
    channels: frozenset[str] = DEFAULT
    since: datetime | None = None
    presence: bool = False


@dataclass(slots=True)
class Typing:
    chat_id: str


class Ping:
    pass


@dataclass(slots=True)
class Unknown:
    """A frame of a type that this release does not know."""

    kind: str


MAX_SEQ = 2**63 - 1
MAX_CURSORS = 10_000
HELLO_BYTES = 64 * MAX_CURSORS  # of `hello`, which is as long as the user's list of chats


def parse(text: str | bytes) -> Hello | Typing | Ping | Unknown:
    """A client's frame. Raises `BadFrame`."""
    if isinstance(text, bytes):
        raise BadFrame("Frames are text, not binary.")
    try:
        frame = orjson.loads(text)
    except ValueError:
        raise BadFrame("The frame is not JSON.") from None
    if not isinstance(frame, dict):
        raise BadFrame("A frame is an object.")
    kind = frame.pop("type", None)
    if kind == "hello":
        return hello(frame)
    if kind == "typing":
        return Typing(_chat_id(frame.get("chatId"), "chatId"))
    if kind == "ping":
        return Ping()
    if not isinstance(kind, str):
        raise BadFrame("A frame's type is a string.", "type")
    return Unknown(kind)


_CHOICES: dict[frozenset[str], frozenset[str]] = {}  # equal sets of channels are one object for all clients


def hello(fields: dict) -> Hello:
    """The fields of `hello`, which are also those of `POST /api/sync`; others are ignored. Raises `BadFrame`."""
    epoch, cursors, channels, since, presence = (
        fields.get(name) for name in ("epoch", "cursors", "channels", "since", "presence")
    )
    if epoch is not None and not isinstance(epoch, str):
        raise BadFrame("epoch is a string or null.", "epoch")
    if not isinstance(cursors, dict | None) or len(cursors or ()) > MAX_CURSORS:
        raise BadFrame(f"cursors is an object of at most {MAX_CURSORS} chats.", "cursors")
    positions = {}
    for chat_id, cursor in (cursors or {}).items():
        if isinstance(cursor, bool) or not isinstance(cursor, int) or not 0 <= cursor <= MAX_SEQ:
            raise BadFrame("A cursor is a whole number, 0 or more.", "cursors")
        positions[_chat_id(chat_id, "cursors")] = cursor
    wanted = DEFAULT
    if channels is not None:
        if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
            raise BadFrame("channels is a list of names.", "channels")
        choice = CHANNELS.keys() & set(channels)
        wanted = _CHOICES.setdefault(frozenset(choice), frozenset(choice))
    if not isinstance(presence, bool | None):
        raise BadFrame("presence is true or false.", "presence")
    return Hello(epoch, positions, wanted, _moment(since), bool(presence))


_HEX = frozenset("0123456789abcdef")


def _chat_id(text, field: str) -> str:
    if isinstance(text, str) and len(text) == 36:
        text = text.lower()
        if all(text[i] == "-" for i in (8, 13, 18, 23)) and sum(char in _HEX for char in text) == 32:
            return text
    raise BadFrame("A chat's id is a UUID.", field)


def _moment(text) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is None or not 1971 < moment.year < 9000:
            raise ValueError
        return moment
    except (ValueError, AttributeError, TypeError):
        raise BadFrame("since is a time like 2026-11-23T10:12:00.123Z.", "since") from None
