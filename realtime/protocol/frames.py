"""The stream's frames: what the server says, framed for the wire (RFC 6455), and what a client may say. See docs/protocol.md."""

import struct
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

import orjson

from chat import payloads
from chat.channels import CHANNELS, DEFAULT, Kind
from chat.events import Event


class Close(IntEnum):
    """Why the server closes a socket. 1xxx: come back; 44xx: see docs/protocol.md."""

    RESTART = 1012
    TRY_AGAIN = 1013
    BAD_FRAME = 4400
    SIGNED_OUT = 4401
    FORBIDDEN = 4403
    NO_HELLO = 4408
    TOO_MANY_SOCKETS = 4409
    TOO_FAST = 4429


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def encode(frame: dict) -> bytes:
    """A frame as it goes over the wire, ready for every socket that gets it."""
    return text_frame(orjson.dumps(frame))


# What the server says


def welcome(user_id: str, epoch: str, instance: str, heads: dict[str, int]) -> dict:
    return {"type": "welcome", "userId": user_id, "epoch": epoch, "instance": instance, "heads": heads}


def of_event(event: Event) -> dict:
    """`event` for a logged event or a projection, `state` for a state."""
    kind = "state" if CHANNELS[event.channel].kind is Kind.STATE else "event"
    return {"type": kind, "channel": event.channel, "chatId": event.chat_id, "seq": event.seq, "data": event.data}


def joined(chat_id: str, seq: int) -> dict:
    return {"type": "joined", "chatId": chat_id, "seq": seq}


def left(chat_id: str) -> dict:
    return {"type": "left", "chatId": chat_id}


def reset(chat_id: str, head: int, reason: str) -> dict:
    return {"type": "reset", "chatId": chat_id, "head": head, "reason": reason}


def synced(heads: dict[str, int], at: datetime) -> dict:
    return {"type": "synced", "heads": heads, "at": payloads.iso(at)}


def typing(chat_id: str, user_id: str) -> dict:
    return {"type": "typing", "chatId": chat_id, "userId": user_id}


def presence(online: list[str] | None, limit: int) -> dict:
    """Who is online of all that the user shares a chat with, in chats of at most `limit` people; None: nobody knows now."""
    return {"type": "presence", "online": online, "limit": limit}


def presence_changed(online: list[str], offline: list[str]) -> dict:
    return {"type": "presenceChanged", "online": online, "offline": offline}


def draining(retry_after_ms: int) -> dict:
    return {"type": "draining", "retryAfterMs": retry_after_ms}


def error(code: str, message: str, field: str | None = None) -> dict:
    return {"type": "error", "error": {"code": code, "message": message, "field": field}}


PONG = encode({"type": "pong"})


# What a client may say


class BadFrame(ValueError):
    """A frame that breaks the contract; the message and `field` are told to the client."""

    def __init__(self, message: str, field: str | None = None):
        super().__init__(message)
        self.field = field


@dataclass(slots=True)
class Hello:
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


MAX_SEQ = 2**63 - 1
MAX_CURSORS = 10_000
HELLO_BYTES = 64 * MAX_CURSORS  # of `hello`, which is as long as the user's list of chats


def parse(text: str | bytes) -> Hello | Typing | Ping:
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
        _only(frame, "chatId")
        return Typing(_chat_id(frame.get("chatId"), "chatId"))
    if kind == "ping":
        _only(frame)
        return Ping()
    raise BadFrame("The frame's type is unknown.", "type")


_CHOICES = {}  # each set of channels that was ever asked for, once for all sockets


def hello(fields: dict) -> Hello:
    """The fields of `hello`, which are those of `POST /api/sync` as well. Raises `BadFrame`."""
    _only(fields, "epoch", "cursors", "channels", "since", "presence")
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
        if unknown := set(channels) - CHANNELS.keys():
            raise BadFrame(f"There is no channel {min(unknown)[:80]!r}.", "channels")
        wanted = _CHOICES.setdefault(choice := frozenset(channels), choice)
    if not isinstance(presence, bool | None):
        raise BadFrame("presence is true or false.", "presence")
    return Hello(epoch, positions, wanted, _moment(since), bool(presence))


def _only(fields, *names):
    if unknown := set(fields) - set(names):
        raise BadFrame("The frame has an unknown field.", min(unknown)[:80])


_HEX = frozenset("0123456789abcdef")


def _chat_id(text, field):
    if isinstance(text, str) and len(text) == 36:
        text = text.lower()
        if all(text[i] == "-" for i in (8, 13, 18, 23)) and sum(char in _HEX for char in text) == 32:
            return text
    raise BadFrame("A chat's id is a UUID.", field)


def _moment(text):
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is None or not 1971 < moment.year < 9000:
            raise ValueError
        return moment
    except (ValueError, AttributeError, TypeError):
        raise BadFrame("since is a time like 2026-11-23T10:12:00.123Z.", "since") from None
