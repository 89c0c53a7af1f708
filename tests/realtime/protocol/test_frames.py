"""The frames of the stream: how they are framed, and what becomes of whatever a client may send."""

import json
import struct
from datetime import datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.channels import CHANNELS, DEFAULT, Kind
from chat.events import Event
from realtime.protocol import client_frames, frames
from realtime.protocol.client_frames import BadFrame, Hello, Ping, Typing, parse

CHAT = "0d9c1f6e-0000-4000-8000-00000000abcd"


# On the wire


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (1, b"\x81\x01"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        (70000, b"\x81\x7f" + struct.pack("!Q", 70000)),
    ],
)
def test_a_text_frame_says_its_length_as_short_as_it_can(size, head):
    payload = b"x" * size
    assert frames.text_frame(payload) == head + payload


def test_a_frame_is_json_of_exactly_what_it_is_made_of():
    frame = frames.left(CHAT)
    assert json.loads(frames.encode(frame)[2:]) == frame == {"type": "left", "chatId": CHAT}
    assert json.loads(frames.PONG[2:]) == {"type": "pong"}


def test_states_are_state_frames_and_all_other_channels_event_frames():
    for name, channel in CHANNELS.items():
        frame = frames.of_event(Event(name, CHAT, 7, {"any": 1}, {"readSeq": 3}))
        assert frame == {
            "type": "state" if channel.kind is Kind.STATE else "event",
            "channel": name,
            "chatId": CHAT,
            "seq": 7,
            "data": {"any": 1},
        }


# What a client may say


def test_the_least_and_the_fullest_hello():
    assert parse('{"type":"hello"}') == Hello(None, {}, DEFAULT, None)
    full = parse(json.dumps({
        "type": "hello", "epoch": "e", "cursors": {CHAT.upper(): 0, "1" * 8 + CHAT[8:]: client_frames.MAX_SEQ},
        "channels": ["chatMessageNotification", "chatMessageNotification"], "since": "2026-11-23T10:12:00.123Z",
    }))  # fmt: skip
    since = datetime(2026, 11, 23, 10, 12, 0, 123000, timezone.utc)
    assert full == Hello(
        "e", {CHAT: 0, "1" * 8 + CHAT[8:]: client_frames.MAX_SEQ}, frozenset(["chatMessageNotification"]), since
    )


def test_presence_is_told_to_those_who_ask():
    assert not parse('{"type":"hello"}').presence and not parse('{"type":"hello","presence":null}').presence
    assert parse('{"type":"hello","presence":true}').presence
    for wrong in ("1", '"true"', "[]"):
        with pytest.raises(BadFrame):
            parse('{"type":"hello","presence":%s}' % wrong)


def test_null_stands_for_what_is_left_out():
    assert parse('{"type":"hello","epoch":null,"cursors":null,"channels":null,"since":null}') == parse(
        '{"type":"hello"}'
    )


def test_what_a_newer_client_says_is_passed_over():
    asked = parse(hello(channels=["unreadCountUpdated", "everything", "x" * 2**20], token="of another release"))
    assert asked.channels == {"unreadCountUpdated"}
    assert parse(hello(channels=["everything"])).channels == frozenset(), "and not what one gets who names none"
    assert parse('{"type":"hallo","at":1}') == client_frames.Unknown("hallo")
    assert parse('{"type":"typing","chatId":"%s","words":3}' % CHAT) == client_frames.Typing(CHAT)
    assert isinstance(parse('{"type":"ping","at":1}'), client_frames.Ping)


def test_no_channels_are_wanted_where_none_are_named():
    assert parse('{"type":"hello","channels":[]}').channels == frozenset()


def test_since_may_stand_in_any_zone_and_without_fractions():
    for text in ("2026-11-23T10:12:00Z", "2026-11-23T12:12:00+02:00"):
        since = parse(json.dumps({"type": "hello", "since": text})).since
        assert since == datetime(2026, 11, 23, 10, 12, tzinfo=timezone.utc) and since.utcoffset() in (
            timedelta(0),
            timedelta(hours=2),
        )


def test_typing_and_ping():
    assert parse(json.dumps({"type": "typing", "chatId": CHAT.upper()})) == Typing(CHAT)
    assert isinstance(parse('{"type":"ping"}'), Ping)


def hello(**fields):
    return json.dumps({"type": "hello", **fields})


ZOO = {
    "empty": "",
    "white": " ",
    "no JSON": "hello",
    "cut off": '{"type":"hello"',
    "two in one": '{"type":"ping"}{"type":"ping"}',
    "a comment": '{"type":"ping"} // hi',
    "single quotes": "{'type':'ping'}",
    "a trailing comma": '{"type":"ping",}',
    "NaN": '{"type":"hello","cursors":{"%s":NaN}}' % CHAT,
    "Infinity": '{"type":"hello","cursors":{"%s":Infinity}}' % CHAT,
    "nested too deep": '{"type":"hello","cursors":' + "[" * 10_000 + "]" * 10_000 + "}",
    "objects nested too deep": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "a lone surrogate": '{"type":"typing","chatId":"\\ud800"}',
    "a lone surrogate, not escaped": '{"type":"typing","chatId":"\ud800"}',
    "binary": b'{"type":"ping"}',
    "binary rubbish": b"\xff\xfe\x00",
    "null": "null",
    "a number": "1",
    "a string": '"ping"',
    "a list": '[{"type":"ping"}]',
    "no type": "{}",
    "a type of another kind": '{"type":["ping"]}',
    "a type that is an object": '{"type":{"ping":1}}',
    "a null type": '{"type":null}',
    "typing without a chat": '{"type":"typing"}',
    "typing in a null chat": '{"type":"typing","chatId":null}',
    "typing in a list": '{"type":"typing","chatId":["%s"]}' % CHAT,
    "typing in no UUID": '{"type":"typing","chatId":"general"}',
    "a UUID in braces": '{"type":"typing","chatId":"{%s}"}' % CHAT,
    "a UUID without dashes": json.dumps({"type": "typing", "chatId": CHAT.replace("-", "")}),
    "dashes elsewhere": json.dumps({"type": "typing", "chatId": "0d9c1f6e0-000-4000-8000-00000000abcd"}),
    "too many dashes": json.dumps({"type": "typing", "chatId": "-" * 36}),
    "another script's digits": json.dumps({"type": "typing", "chatId": "٠" + CHAT[1:]}),
    "a long s, whose capital is another letter": json.dumps({"type": "typing", "chatId": "ſ" + CHAT[1:]}),
    "a UUID and a line break": json.dumps({"type": "typing", "chatId": CHAT + "\n"}),
    "an epoch that is a number": hello(epoch=1),
    "an epoch that is a list": hello(epoch=["e"]),
    "cursors as a list": hello(cursors=[CHAT]),
    "cursors as a number": hello(cursors=7),
    "a cursor of no UUID": hello(cursors={"general": 1}),
    "a negative cursor": hello(cursors={CHAT: -1}),
    "a fraction as a cursor": hello(cursors={CHAT: 1.0}),
    "an exponent as a cursor": '{"type":"hello","cursors":{"%s":1e3}}' % CHAT,
    "a string as a cursor": hello(cursors={CHAT: "1"}),
    "a null cursor": hello(cursors={CHAT: None}),
    "true as a cursor": hello(cursors={CHAT: True}),
    "false as a cursor": hello(cursors={CHAT: False}),
    "a cursor beyond bigint": hello(cursors={CHAT: 2**63}),
    "a cursor beyond 64 bits": hello(cursors={CHAT: 2**64}),
    "a cursor of 400 digits": '{"type":"hello","cursors":{"%s":%s}}' % (CHAT, "9" * 400),
    "a cursor of 5,000 digits": '{"type":"hello","cursors":{"%s":%s}}' % (CHAT, "9" * 5000),
    "too many cursors": hello(
        cursors={f"{number:08x}{CHAT[8:]}": 0 for number in range(client_frames.MAX_CURSORS + 1)}
    ),
    "channels as a string": hello(channels="unreadCountUpdated"),
    "channels as an object": hello(channels={"unreadCountUpdated": True}),
    "a channel that is a number": hello(channels=[1]),
    "a channel that is null": hello(channels=[None]),
    "since as a number": hello(since=1700000000),
    "since as true": hello(since=True),
    "since as a list": hello(since=["2026-11-23T10:12:00Z"]),
    "since as an object": hello(since={}),
    "an empty since": hello(since=""),
    "since without a zone": hello(since="2026-11-23T10:12:00"),
    "since without a time": hello(since="2026-11-23"),
    "since on a 32nd": hello(since="2026-11-32T10:12:00Z"),
    "since at the beginning of time": hello(since="0001-01-01T00:00:00Z"),
    "since at the end of time": hello(since="9999-12-31T23:59:59-23:59"),
}


@pytest.mark.parametrize("text", ZOO.values(), ids=ZOO)
def test_every_animal_of_the_zoo_is_a_bad_frame_that_can_be_told_of(text):
    with pytest.raises(BadFrame) as raised:
        parse(text)
    told = orjson.dumps(frames.error("invalid_value", str(raised.value), raised.value.field))
    assert len(told) < 400


# Whatever it is

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([CHAT, *CHANNELS]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(CHAT), inner), max_leaves=8)  # fmt: skip
NEARLY = st.fixed_dictionaries({}, optional={
    "type": st.sampled_from(["hello", "typing", "ping"]) | ANYTHING, "chatId": ANYTHING, "epoch": ANYTHING, "cursors": ANYTHING,
    "channels": ANYTHING, "since": ANYTHING | st.datetimes().map(str), "more": ANYTHING,
})  # fmt: skip


def is_parsed_or_refused(text):
    try:
        frame = parse(text)
    except BadFrame as error:
        orjson.dumps(frames.error("invalid_value", str(error), error.field))
        return
    assert isinstance(frame, Hello | Typing | Ping | client_frames.Unknown)
    if isinstance(frame, Hello):
        assert all(type(cursor) is int and 0 <= cursor <= client_frames.MAX_SEQ for cursor in frame.cursors.values())
        assert all(chat_id == chat_id.lower() and len(chat_id) == 36 for chat_id in frame.cursors)
        assert frame.channels <= CHANNELS.keys()
        assert frame.since is None or frame.since.tzinfo is not None


@given(NEARLY)
def test_what_is_nearly_right_is_a_value_or_a_bad_frame(frame):
    is_parsed_or_refused(json.dumps(frame))


@given(st.text() | st.text('{}[]":,0123456789.eE-+truefalsnNaIity\\ud'))
def test_any_text_is_a_value_or_a_bad_frame(text):
    is_parsed_or_refused(text)


@given(st.binary())
def test_any_bytes_are_a_bad_frame(data):
    with pytest.raises(BadFrame):
        parse(data)


@given(st.dictionaries(st.text(), ANYTHING))
def test_the_fields_of_sync_are_a_value_or_a_bad_frame(fields):
    try:
        assert isinstance(client_frames.hello(fields), Hello)
    except BadFrame:
        pass
