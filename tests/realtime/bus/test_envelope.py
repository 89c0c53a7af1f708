"""An event as it goes over Redis, and its place as it is seen in the bytes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.channels import CHANNELS, PROJECTIONS
from chat.events import Event
from realtime.bus import envelope
from tests.chat.conftest import key, quick

texts = st.text(max_size=20)
simple = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
values = simple | st.lists(simple, max_size=3)
some_events = st.builds(
    Event,
    st.sampled_from(sorted(CHANNELS)),
    texts,
    st.integers(0, 2**53),
    st.dictionaries(texts, values, max_size=5),
    st.dictionaries(st.sampled_from(["readSeq", "unread", "head"]), values, max_size=2),
)


@given(some_events, texts, texts)
@quick
def test_what_is_put_into_an_envelope_comes_out_of_it(event, epoch, instance):
    assert envelope.decode(event.channel, envelope.encode(event, epoch, instance)) == (event, epoch, instance)


@given(some_events)
@quick
def test_the_documented_object_stands_under_the_channels_own_key(event):
    body = orjson.loads(envelope.encode(event, "epoch", "web.1"))
    assert set(body) == {event.channel, "_"} and body[event.channel] == event.data
    assert body["_"] == {
        "v": 1,
        "chatId": event.chat_id,
        "seq": event.seq,
        "epoch": "epoch",
        "from": "web.1",
        **event.meta,
    }


def _spoiled(change):
    body = {
        "messageDeleted": {"id": "m", "chatId": "c"},
        "_": {"v": 1, "chatId": "c", "seq": 2, "epoch": "e", "from": "web.1"},
    }
    change(body)
    return orjson.dumps(body)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"{}",
        b'{"_": null}',
        b'{"_": []}',
        b'{"_": "v"}',
        b'{"_": {}}',
        _spoiled(lambda body: body.pop("_")),
        _spoiled(lambda body: body.pop("messageDeleted")),
        _spoiled(lambda body: body.update(messageDeleted=None)),
        _spoiled(lambda body: body.update(messageDeleted=["id"])),
        *(_spoiled(lambda body, name=name: body["_"].pop(name)) for name in ("v", "chatId", "seq", "epoch", "from")),
        _spoiled(lambda body: body["_"].update(v=2)),
        _spoiled(lambda body: body["_"].update(v=None)),
        _spoiled(lambda body: body["_"].update(chatId=1)),
        _spoiled(lambda body: body["_"].update(chatId=None)),
        _spoiled(lambda body: body["_"].update(seq="2")),
        _spoiled(lambda body: body["_"].update(seq=2.5)),
        _spoiled(lambda body: body["_"].update(seq=True)),
        _spoiled(lambda body: body["_"].update(epoch=["e"])),
    ],
)
def test_what_is_no_envelope_of_ours_is_a_value_error(payload):
    with pytest.raises(ValueError):
        envelope.decode("messageDeleted", payload)


def test_an_untouched_envelope_is_opened():
    event, epoch, instance = envelope.decode("messageDeleted", _spoiled(lambda body: None))
    assert (event, epoch, instance) == (Event("messageDeleted", "c", 2, {"id": "m", "chatId": "c"}), "e", "web.1")


json = (
    values
    | st.floats(allow_nan=False)
    | st.dictionaries(texts | st.sampled_from(["_", "v", "seq", "messageAdded"]), values, max_size=4)
)


@given(
    st.binary(max_size=50)
    | json.map(orjson.dumps)
    | st.fixed_dictionaries(
        {
            "_": st.fixed_dictionaries({name: json for name in ("v", "chatId", "seq", "epoch", "from")}),
            "messageAdded": json,
        }
    ).map(orjson.dumps)
)
@quick
def test_rubbish_is_a_value_error_or_an_event(payload):
    try:
        event, _, _ = envelope.decode("messageAdded", payload)
    except ValueError:
        return
    assert isinstance(event.chat_id, str) and isinstance(event.seq, int) and isinstance(event.data, dict)


# Its bytes

ids = st.uuids().map(str)
addressed = st.builds(
    Event,
    st.sampled_from(sorted(CHANNELS)),
    ids,
    st.integers(0, 2**53),
    st.dictionaries(texts, values, max_size=5),
    st.fixed_dictionaries(
        {}, optional={"readSeq": st.integers(0, 2**53), "head": st.integers(0, 2**53), "unread": st.just("derive")}
    ),
)


def glanced(channel, payload, epoch):
    """Chat and seq."""
    place = envelope.glances(epoch)(channel, payload)
    return place and place[:2]


@given(addressed, ids)
@quick
def test_the_place_of_an_envelope_is_seen_in_its_bytes_by_those_of_its_epoch(event, epoch):
    payload = envelope.encode(event, epoch, "web.1")
    assert glanced(event.channel, payload, epoch) == (event.chat_id, str(event.seq).encode())
    assert glanced(event.channel, payload, epoch[::-1]) is None or epoch == epoch[::-1]


@given(addressed, ids)
@quick
def test_a_projection_ends_as_its_message_does_and_as_nothing_else(event, epoch):
    def ends(one):
        payload = envelope.encode(one, epoch, "web.1")
        end = envelope.glances(epoch)(one.channel, payload)[2]
        assert payload.endswith(end)
        return end

    for name in PROJECTIONS:
        assert ends(Event(name, event.chat_id, event.seq, {"chatId": event.chat_id}, event.meta)) == ends(event)
        assert ends(Event(name, event.chat_id, event.seq + 1, event.data, event.meta)) != ends(event)


CHAT, EPOCH = "6f1c0e0a-6a54-4a40-8a3f-0d6f5b0c7c11", "0b9f7a52-33f1-4d5e-9d55-4ea1f0d5c0de"
ENVELOPE = envelope.encode(Event("messageAdded", CHAT, 2, {"content": "text"}), EPOCH, "web.1")


def test_what_somebody_writes_into_a_message_is_not_taken_for_the_envelope():
    other = key()
    end = ENVELOPE[ENVELOPE.index(b',"_":') :].decode().replace(CHAT, other)
    for text in (end, '"}' + end, "}" + end, '\\"}' + end, "\\\\}" + end):
        payload = envelope.encode(Event("messageAdded", CHAT, 2, {"content": text, text: text}), EPOCH, "web.1")
        assert glanced("messageAdded", payload, EPOCH) == (CHAT, b"2")
        within = Event("messageAdded", CHAT, 2, {"content": {}, "_": orjson.loads(ENVELOPE)["_"] | {"chatId": other}})
        assert glanced("messageAdded", envelope.encode(within, EPOCH, "web.1"), EPOCH) == (CHAT, b"2")
        # Cut off, what is left ends as an envelope does.
        assert glanced("messageAdded", payload[: payload.rindex(b',"_":')], EPOCH) is None


@pytest.mark.parametrize(
    "change",
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":"1"'),
        (b'"v":1', b'"v": 1'),
        (b'"v":1', b'"v":10'),
        (b'"seq":2', b'"seq":"2"'),
        (b'"seq":2', b'"seq":-2'),
        (b'"seq":2', b'"seq":null'),
        (b'"seq":2', b'"seq":' + b"9" * 5000),
        (b'"seq":2,', b""),
        (EPOCH.encode(), b""),
        (EPOCH.encode(), b"an epoch"),
        (b'"' + EPOCH.encode() + b'"', b"7"),
        (b'"' + CHAT.encode() + b'"', b"7"),
        (b'"web.1"', b"null"),
        (b'"from":"web.1"', b'"by":"web.1"'),
        (b'"messageAdded"', b'"messageUpdated"'),
        (b'{"content":"text"}', b'"text"'),
        (b'{"content":"text"}', b"[{}]"),
        (b'"_"', b'"__"'),
        (b"}}", b"}"),
        (b"}}", b"}}\n"),
        (b"}}", b"}} }"),
        (b'"}}', b""),
        (b'{"messageAdded', b'[{"messageAdded'),
    ],
)
def test_where_the_place_is_not_as_an_envelope_says_it_nothing_is_seen(change):
    payload = ENVELOPE.replace(*change)
    assert payload != ENVELOPE and glanced("messageAdded", payload, EPOCH) is None


@given(st.binary(max_size=50) | json.map(orjson.dumps))
@quick
def test_of_rubbish_nothing_is_seen(payload):
    assert glanced("messageAdded", payload, EPOCH) is None
