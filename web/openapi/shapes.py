"""The shapes of bodies, answers and parameters as JSON Schema, with the settings' limits in them."""

from chat.channels import CHANNELS
from errors import CODES

UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
NO_NUL = r"^[^\u0000]*$"
NOT_BLANK = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
# Names stand in one line: no control characters.
NAME = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"

MOST_ITEMS = 200
DEFAULT_ITEMS = 50
LARGEST_SEQ = 2**53 - 1  # what JavaScript counts exactly

MOST_PASSWORD_CHARS = 256

FRAMES = ("welcome", "event", "state", "joined", "left", "reset", "synced")


def ref(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema):
    return {**schema, "type": [schema["type"], "null"]}


def _object(properties, **more):
    """An answer: every property is always there."""
    return {"type": "object", "properties": properties, "required": list(properties), **more}


def _body(properties, required=(), **more):
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**closed, "required": list(required), **more} if required else {**closed, **more}


def _list(of, **more):
    return _object({"items": {"type": "array", "items": ref(of)}, "next": _or_null(_ID), **more})


_ID = {"type": "string", "format": "uuid"}
_GIVEN_ID = {"type": "string", "format": "uuid", "pattern": UUID}
_TIME = {"type": "string", "format": "date-time", "description": "ISO 8601, UTC, milliseconds."}
_COUNT = {"type": "integer", "minimum": 0}
_SEQ = {"type": "integer", "minimum": 0, "maximum": LARGEST_SEQ, "description": "A place in a chat's order of events."}


def _inputs(settings):
    username = {
        "type": "string",
        "pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{1,{settings.max_name_chars - 1}}}$",
        "minLength": 2,
        "maxLength": settings.max_name_chars,
        "description": "Letters, digits, dot, hyphen and underscore; upper and lower case are the same name.",
    }
    name = {
        "type": "string",
        "minLength": 1,
        "maxLength": settings.max_name_chars,
        "pattern": NAME,
        "description": "Space around it is dropped.",
    }
    description = {
        "type": "string",
        "maxLength": settings.max_description_chars,
        "pattern": NO_NUL,
        "description": "Space around it is dropped; a blank one is none.",
    }
    content = {"type": "string", "minLength": 1, "maxLength": settings.max_message_chars, "pattern": NOT_BLANK}
    ids = {"type": "array", "items": _GIVEN_ID, "maxItems": settings.max_participants}
    password = {
        "type": "string",
        "format": "password",
        "minLength": 1,
        "maxLength": MOST_PASSWORD_CHARS,
        "pattern": NO_NUL,
    }
    new_password = {**password, "minLength": settings.min_password_chars}
    invitation = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": NO_NUL}
    return {
        "NewAccount": _body(
            {
                "username": username,
                "password": new_password,
                "displayName": {**_or_null(name), "description": "The username where none is given."},
                "invitation": {
                    **_or_null(invitation),
                    "description": "The token of an invitation's link, where the server asks for one.",
                },
            },
            ("username", "password"),
        ),
        "Credentials": _body(
            {
                "username": {"type": "string", "minLength": 1, "maxLength": settings.max_name_chars, "pattern": NO_NUL},
                "password": password,
            },
            ("username", "password"),
        ),
        "MeChange": _body({"displayName": name}, ("displayName",)),
        "PasswordChange": _body(
            {"currentPassword": password, "newPassword": new_password}, ("currentPassword", "newPassword")
        ),
        "NewInvitation": _body(
            {
                "days": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": settings.invitation_days,
                    "default": settings.invitation_days,
                    "description": "How long it is valid.",
                },
                "uses": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": settings.invitation_uses,
                    "default": settings.invitation_uses,
                    "description": "How many accounts it creates.",
                },
            }
        ),
        "NewChat": _body(
            {
                "chatType": {"enum": ["direct", "group"]},
                "name": _or_null(name),
                "description": _or_null(description),
                "participantIds": {**ids, "description": "The others; of a direct chat exactly one."},
            },
            ("chatType", "participantIds"),
        ),
        "ChatChange": _body({"name": _or_null(name), "description": _or_null(description)}, minProperties=1),
        "NewParticipants": _body({"userIds": {**ids, "minItems": 1}}, ("userIds",)),
        "MessageText": _body({"content": content}, ("content",)),
        "Break": _body(
            {
                "what": {"enum": ["dropSockets", "pauseRedis", "disorder", "kill"]},
                "instance": {
                    "type": "string",
                    "maxLength": 100,
                    "pattern": NO_NUL,
                    "description": "Which one to kill.",
                },
            },
            ("what",),
        ),
        "SyncRequest": _body(
            {
                "epoch": {**_or_null(_GIVEN_ID), "description": "The epoch of the cursors; none the first time."},
                "cursors": {
                    "type": "object",
                    "propertyNames": {"pattern": UUID},
                    "additionalProperties": _SEQ,
                    "description": "For each chat the last seq had from the stream.",
                },
                "channels": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "State and projection channels wanted, of "
                    + ", ".join(f"`{name}`" for name in CHANNELS)
                    + ". The logged ones always come; names that this instance does not know are passed over.",
                },
                "since": {**_or_null(_TIME), "description": "The `at` of the last `synced`."},
            },
            # The client may be of a later release than this instance.
            additionalProperties=True,
        ),
    }


_MESSAGE = {
    "id": _ID,
    "content": {"type": "string", "description": "Empty when deleted."},
    "senderId": _ID,
    "chatId": _ID,
    "createdAt": _TIME,
    "isEdited": {"type": "boolean"},
    "editedAt": _or_null(_TIME),
    "deletedAt": _or_null({**_TIME, "description": f"{_TIME['description']} Null unless deleted."}),
    "seq": _SEQ,
}

_CHAT = {
    "id": _ID,
    "name": {"type": ["string", "null"]},
    "description": {"type": ["string", "null"]},
    "chatType": {"enum": ["direct", "group"]},
    "participantIds": {"type": "array", "items": _ID},
    "createdAt": _TIME,
    "updatedAt": _TIME,
    "ownerId": _or_null(_ID),
}

_READ = {"messageId": _ID, "userId": _ID, "readAt": _TIME}

_LAST_MESSAGE = {"anyOf": [ref("Message"), {"type": "null"}]}
_CHAT_VIEW = {**_CHAT, "head": _SEQ, "unreadCount": _COUNT, "muted": {"type": "boolean"}, "lastMessage": _LAST_MESSAGE}

_USER = {"id": _ID, "username": {"type": "string"}, "displayName": {"type": "string"}, "createdAt": _TIME}

_ANSWERS = {
    "User": _object(_USER),
    "Me": _object({**_USER, "isOwner": {"type": "boolean", "description": "Of the server."}}),
    "Session": _object(
        {
            "id": _ID,
            "userAgent": {"type": "string", "description": "What signed in called itself; any text."},
            "createdAt": _TIME,
            "lastUsedAt": {**_TIME, "description": "To the hour."},
            "current": {"type": "boolean", "description": "The one that asks."},
        }
    ),
    "Invitation": _object(
        {
            "id": _ID,
            "token": {"type": "string", "description": "What a sign-up takes."},
            "link": {
                "type": "string",
                "format": "uri",
                "description": "The page to sign up with it, at the address that was asked.",
            },
            "createdAt": _TIME,
            "expiresAt": _TIME,
            "uses": _COUNT,
            "maxUses": _COUNT,
        }
    ),
    "SignedIn": _object({"user": ref("Me"), "token": {"type": "string", "description": "A bearer token."}}),
    "Chat": _object(_CHAT),
    "ChatView": _object(_CHAT_VIEW),
    "ChatDetail": _object({**_CHAT_VIEW, "watermarks": {"type": "array", "items": ref("Watermark")}}),
    "Watermark": _object({"userId": _ID, "messageId": _or_null(_ID), "seq": _SEQ, "readAt": _or_null(_TIME)}),
    "Message": _object(_MESSAGE),
    "Hit": _object(
        {
            "message": ref("Message"),
            "chatId": _ID,
            "highlights": {
                "type": "array",
                "items": {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2},
                "description": "`[start, end]` of each matching part of the content, in UTF-16 code units.",
            },
        }
    ),
    "Read": _object(_READ),
    "Unread": _object({"chatId": _ID, "userId": _ID, "unreadCount": _COUNT}),
    "UserList": _list("User"),
    "SessionList": _list("Session"),
    "InvitationList": _list("Invitation"),
    "ChatList": _list("ChatView"),
    "MessageList": _list("Message"),
    "HitList": _list("Hit"),
    "ReadList": _list("Read"),
    "UnreadList": _list("Unread", total=_COUNT),
    "FrameList": _list("Frame"),
    "Frame": _object({"type": {"enum": list(FRAMES)}}, description="A frame of the stream.", additionalProperties=True),
    "Health": _object(
        {
            "status": {"enum": ["ok", "degraded"]},
            "version": {"type": "string"},
            "draining": {"type": "boolean"},
            "database": _object(
                {
                    "lastSuccess": _or_null(_TIME),
                    "lastFailure": _or_null(_TIME),
                    "lastError": {"type": ["string", "null"]},
                    "connections": _COUNT,
                    "mostConnections": _COUNT,
                }
            ),
            "delivery": {"type": "object", "additionalProperties": True},
        }
    ),
    "Readiness": _object(
        {
            "status": {"enum": ["ok", "degraded", "draining", "unavailable"]},
            "reason": {"type": ["string", "null"]},
        }
    ),
    "Text": {"type": "string"},
    "Document": {"type": "object", "additionalProperties": True},
    "Error": _object(
        {
            "error": _object(
                {
                    "code": {"enum": list(CODES)},
                    "message": {"type": "string"},
                    "field": {
                        "type": ["string", "null"],
                        "description": "The body field, parameter or header at fault.",
                    },
                }
            )
        }
    ),
}


def schemas(settings) -> dict:
    """Every named shape: `components.schemas` of the document."""
    return {**_inputs(settings), **_ANSWERS}


def parameters(settings) -> dict:
    """Query parameters, as OpenAPI writes them, by the keys that operations name them by; some have another `name` in the URL."""

    def query(name, schema, text, required=False):
        return {"name": name, "in": "query", "required": required, "schema": schema, "description": text}

    page = {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": DEFAULT_ITEMS}
    return {
        "q": query(
            "q",
            {"type": "string", "maxLength": settings.max_name_chars, "pattern": NO_NUL},
            "The beginning of a username, or a part of a display name.",
        ),
        "limit": query("limit", page, "Most items of the page."),
        "after": query("after", _GIVEN_ID, "The page that starts after this one: `next` of the page before."),
        "before": query("before", _GIVEN_ID, "The page that ends before this one."),
        "text": query(
            "q",
            {"type": "string", "minLength": 1, "maxLength": settings.max_search_chars, "pattern": NOT_BLANK},
            'Words, each of which must be there; the last one may go on. `"A phrase"` in quotation marks; `-word` must not be there.',
            required=True,
        ),
        "chatId": query("chatId", _GIVEN_ID, "Only in this chat."),
        "hits": query(
            "limit",
            {**page, "maximum": settings.max_search_items, "default": min(20, settings.max_search_items)},
            "Most items of the page.",
        ),
        "around": query("around", _GIVEN_ID, "A page with half of its items on either side of this one."),
    }
