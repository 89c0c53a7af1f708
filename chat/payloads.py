"""Every shape that leaves Parley, built in one place: the channels' objects and what HTTP adds to them.

A row is anything with the named columns as attributes; ids are strings, times are aware datetimes.
"""

from datetime import datetime, timezone

from chat.message import Message


def iso(moment: datetime | None) -> str | None:
    """`2026-11-23T10:12:00.123Z`: ISO 8601, UTC, milliseconds."""
    if moment is None:
        return None
    if moment.tzinfo is not timezone.utc:  # as those of the database are
        moment = moment.astimezone(timezone.utc)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def message(m: Message) -> dict:
    """The object of `messageAdded` and `messageUpdated`. That of a deleted message has an empty content and `deletedAt`."""
    shown = {
        "id": m.id,
        "content": m.content,
        "senderId": m.sender_id,
        "chatId": m.chat_id,
        "createdAt": iso(m.created_at),
        "isEdited": m.edited_at is not None,
        "editedAt": iso(m.edited_at),
    }
    if m.deleted_at is not None:
        shown["deletedAt"] = iso(m.deleted_at)
    return shown


def answered(shown: dict, seq: int) -> dict:
    """What `message` has made, over HTTP: with `deletedAt` in any case, and its place in the chat."""
    return {**shown, "deletedAt": shown.get("deletedAt"), "seq": seq}


def message_view(m: Message) -> dict:
    """A message over HTTP."""
    return answered(message(m), m.seq)


def hit(m: Message, highlights: list[list[int]]) -> dict:
    """A message that a search has found, and which parts of its content match."""
    return {"message": message_view(m), "chatId": m.chat_id, "highlights": highlights}


def deleted_message(m: Message) -> dict:
    """The object of `messageDeleted`."""
    return {"id": m.id, "chatId": m.chat_id}


def chat(row) -> dict:
    """The object of `chatAdded` and `chatUpdated`."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "chatType": row.chat_type,
        "participantIds": row.participant_ids,
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
    }


def chat_answer(row) -> dict:
    """A chat over HTTP: the object and its owner."""
    return {**chat(row), "ownerId": row.owner_id}


def chat_view(row, last_message: dict | None) -> dict:
    """A chat as one participant sees it."""
    return {
        **chat_answer(row),
        "head": row.head_seq,
        "unreadCount": row.unread,
        "muted": row.muted,
        "lastMessage": last_message,
    }


def notice(message: dict) -> dict:
    """The object of `chatMessageNotification` and `messageUpdateForChatList`."""
    return {"chatId": message["chatId"], "message": message, "senderId": message["senderId"]}


def unread(chat_id: str, user_id: str, count: int) -> dict:
    """The object of `unreadCountUpdated`."""
    return {"chatId": chat_id, "userId": user_id, "unreadCount": count}


def read(message_id: str, user_id: str, read_at: datetime) -> dict:
    """The object of `messageReadUpdated`."""
    return {"messageId": message_id, "userId": user_id, "readAt": iso(read_at)}


def watermark(row) -> dict:
    """How far one participant has read."""
    return {"userId": row.user_id, "messageId": row.message_id, "seq": row.seq, "readAt": iso(row.read_at)}


def user(row) -> dict:
    return {"id": row.id, "username": row.username, "displayName": row.display_name, "createdAt": iso(row.created_at)}


def me(row) -> dict:
    """A user as they see themselves: `isOwner` of the server."""
    return {**user(row), "isOwner": row.is_owner}


def session(row, current: str) -> dict:
    """One of the user's own sessions; `current` is the id of the one that asks."""
    return {
        "id": row.id,
        "userAgent": row.user_agent,
        "createdAt": iso(row.created_at),
        "lastUsedAt": iso(row.last_used_at),
        "current": row.id == current,
    }


def invitation(row) -> dict:
    """An invitation as the server's owner sees it."""
    return {
        "id": row.id,
        "token": row.token,
        "createdAt": iso(row.created_at),
        "expiresAt": iso(row.expires_at),
        "uses": row.uses,
        "maxUses": row.max_uses,
    }


def page(items: list, following: str | None) -> dict:
    """A list: `following` is the cursor of the next page, or None at the end."""
    return {"items": items, "next": following}
