"""The frames that the server sends, and their WebSocket framing (RFC 6455). See docs/protocol.md."""

import struct
from datetime import datetime

import orjson

from chat import payloads
from chat.channels import CHANNELS, STATES
from chat.events import Event
from version import VERSION


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def encode(frame: dict) -> bytes:
    """A frame as bytes, ready for every socket that gets it."""
    return text_frame(orjson.dumps(frame))


_CHANNELS = list(CHANNELS)


def welcome(user_id: str, epoch: str, instance: str, heads: dict[str, int]) -> dict:
    """From `version` and `channels` a client of another release knows what it can ask of this instance."""
    return {
        "type": "welcome",
        "userId": user_id,
        "epoch": epoch,
        "instance": instance,
        "version": VERSION,
        "channels": _CHANNELS,
        "heads": heads,
    }


def of_event(event: Event) -> dict:
    """`state` for a state, `event` for anything else, also for an event of a kind that only another release knows."""
    kind = "state" if event.channel in STATES else "event"
    return {
        "type": kind,
        "channel": event.channel,
        "chatId": event.chat_id,
        "seq": event.seq,
        "data": event.data or None,  # null for a kind that this release does not know
    }


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
    """Who is online of the people in the user's chats of at most `limit` participants; None: that is unknown now."""
    return {"type": "presence", "online": online, "limit": limit}


def presence_changed(online: list[str], offline: list[str]) -> dict:
    return {"type": "presenceChanged", "online": online, "offline": offline}


def draining(retry_after_ms: int) -> dict:
    return {"type": "draining", "retryAfterMs": retry_after_ms}


def error(code: str, message: str, field: str | None = None) -> dict:
    return {"type": "error", "error": {"code": code, "message": message, "field": field}}


PONG = encode({"type": "pong"})
