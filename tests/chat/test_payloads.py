"""The shapes that leave the server, from rows to JSON."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import payloads
from chat.message import Message
from tests.chat.conftest import quick

AT = datetime(2026, 11, 23, 12, 12, 0, 123456, timezone(timedelta(hours=2)))
MESSAGE = Message.of(
    SimpleNamespace(
        id="m",
        content="Hello",
        sender_id="u",
        chat_id="c",
        created_at=AT,
        edited_at=None,
        deleted_at=None,
        seq=7,
        op_id="secret",
    )
)
CHAT = SimpleNamespace(
    id="c",
    name="Trip",
    description=None,
    chat_type="group",
    participant_ids=["a", "b"],
    created_at=AT,
    updated_at=AT,
    owner_id="a",
    head_seq=9,
    unread=2,
    muted=True,
    direct_key="secret",
)
USER = SimpleNamespace(
    id="u", username="ada", display_name="Ada", created_at=AT, password_hash="secret", op_hash=b"secret"
)


def test_times_are_utc_with_milliseconds():
    assert payloads.iso(AT) == "2026-11-23T10:12:00.123Z"
    assert payloads.iso(datetime(2026, 1, 1, tzinfo=timezone.utc)) == "2026-01-01T00:00:00.000Z"
    assert payloads.iso(None) is None


zones = st.timezones() | st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=zones))
@quick
def test_every_time_comes_back_to_the_millisecond_and_sorts_as_text(moment):
    text, utc = payloads.iso(moment), moment.astimezone(timezone.utc)
    back = datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert timedelta() <= utc - back < timedelta(milliseconds=1)
    assert len(text) == 24 and payloads.iso(utc + timedelta(milliseconds=1)) > text


def test_a_message():
    assert payloads.message(MESSAGE) == {
        "id": "m",
        "content": "Hello",
        "senderId": "u",
        "chatId": "c",
        "createdAt": "2026-11-23T10:12:00.123Z",
        "isEdited": False,
        "editedAt": None,
    }
    edited = payloads.message(replace(MESSAGE, edited_at=AT))
    assert (edited["isEdited"], edited["editedAt"]) == (True, "2026-11-23T10:12:00.123Z")
    assert payloads.message_view(MESSAGE) == {**payloads.message(MESSAGE), "deletedAt": None, "seq": 7}
    assert payloads.deleted_message(MESSAGE) == {"id": "m", "chatId": "c"}


def test_a_deleted_message_says_when_over_http_and_in_the_channels():
    deleted = replace(MESSAGE, content="", deleted_at=AT)
    assert payloads.message(deleted)["deletedAt"] == "2026-11-23T10:12:00.123Z"
    assert payloads.message_view(deleted) == {**payloads.message(deleted), "seq": 7}
    emptied = replace(MESSAGE, content="")  # as one that consists of a file
    assert "deletedAt" not in payloads.message(emptied) and payloads.message_view(emptied)["deletedAt"] is None


def test_a_message_is_the_same_from_columns_and_from_json():
    fields = {**asdict(MESSAGE), "created_at": "2026-11-23T10:12:00.1+00:00", "edited_at": "2026-11-23T10:12:00+00:00"}
    message = Message.of_json({**fields, "more": 1})
    assert message == replace(MESSAGE, created_at=message.created_at, edited_at=message.edited_at)
    assert payloads.message_view(message)["createdAt"] == "2026-11-23T10:12:00.100Z"


def test_a_chat_its_answer_and_its_view():
    chat = payloads.chat(CHAT)
    assert chat == {
        "id": "c",
        "name": "Trip",
        "description": None,
        "chatType": "group",
        "participantIds": ["a", "b"],
        "createdAt": "2026-11-23T10:12:00.123Z",
        "updatedAt": "2026-11-23T10:12:00.123Z",
    }
    assert payloads.chat_answer(CHAT) == {**chat, "ownerId": "a"}
    assert payloads.chat_view(CHAT, None) == {
        **chat,
        "ownerId": "a",
        "head": 9,
        "unreadCount": 2,
        "muted": True,
        "lastMessage": None,
    }


def test_a_notice_holds_the_whole_message():
    message = payloads.message(MESSAGE)
    assert payloads.notice(message) == {"chatId": "c", "message": message, "senderId": "u"}


def test_counts_reads_and_watermarks():
    assert payloads.unread("c", "u", 3) == {"chatId": "c", "userId": "u", "unreadCount": 3}
    assert payloads.read("m", "u", AT) == {"messageId": "m", "userId": "u", "readAt": "2026-11-23T10:12:00.123Z"}
    row = SimpleNamespace(user_id="u", message_id=None, seq=1, read_at=None)
    assert payloads.watermark(row) == {"userId": "u", "messageId": None, "seq": 1, "readAt": None}


def test_a_list_names_its_next_page():
    assert payloads.page([1], "x") == {"items": [1], "next": "x"}


@pytest.mark.parametrize(
    ("shape", "row"),
    [
        (payloads.message_view, MESSAGE),
        (payloads.chat_answer, CHAT),
        (lambda row: payloads.chat_view(row, None), CHAT),
        (payloads.user, USER),
    ],
)
def test_nothing_but_what_is_documented_leaves(shape, row):
    text = orjson.dumps(shape(row)).decode()
    assert "secret" not in text and "_" not in "".join(shape(row))


def test_a_user():
    assert payloads.user(USER) == {
        "id": "u",
        "username": "ada",
        "displayName": "Ada",
        "createdAt": "2026-11-23T10:12:00.123Z",
    }
