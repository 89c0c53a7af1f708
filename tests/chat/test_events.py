"""The log as it reads today, where a user stands, what changed, and the envelope on Redis."""

import asyncio
from contextlib import closing
from datetime import datetime, timedelta, timezone

import orjson
import psycopg2
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from chat import chats, events, messages
from chat.accounts import Accounts, AttemptLimits
from chat.channels import CHANNELS, LOGGED, PROJECTIONS, Kind
from chat.events import Event, digest, envelope
from store.database import new_epoch
from tests.chat.conftest import World, key, quick, until


async def _replay(db, chat_id, after=0, users=(), limit=100):
    return (await events.replay(db, {chat_id: after}, users, limit))[chat_id]


# Replay


@pytest.mark.gen_test
async def test_a_replay_is_what_was_published_where_nothing_changed_since(db, world):
    ada, bob = await world.users(2)
    created = await chats.create(db, ada, key(), "group", "Trip", "To the sea", [bob], 100)
    chat_id = created.answer["id"]
    sent = await messages.send(db, ada, key(), chat_id, "Hello", 50)
    log = await _replay(db, chat_id)
    assert log.events == [created.events[0], sent.events[0]]
    edited = await world.edit(ada, sent.answer["id"], "Hello!")
    assert (await _replay(db, chat_id, 2)).events == edited.events
    removed = await world.remove(ada, chat_id, bob)
    assert (await _replay(db, chat_id, 3)).events == removed.events
    deleted = await world.delete(ada, sent.answer["id"])
    assert (await _replay(db, chat_id, 4)).events == deleted.events[:1]
    assert all(event.kind is Kind.LOGGED for event in log.events)


@pytest.mark.gen_test
async def test_a_replay_shows_the_present(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob, name="Before")
    edited, deleted = await world.send(ada, chat_id, "first draft"), await world.send(ada, chat_id, "SECRET one")
    await world.edit(ada, edited, "second draft")
    await world.edit(ada, deleted, "SECRET two")
    await world.edit(ada, edited, "final")
    await world.delete(ada, deleted)
    await chats.update(db, ada, key(), chat_id, {"name": "After"})
    log = await _replay(db, chat_id)
    assert [(event.channel, event.seq) for event in log.events] == [
        ("chatAdded", 1),
        ("messageAdded", 2),
        ("messageAdded", 3),
        ("messageUpdated", 4),
        ("messageDeleted", 5),  # not an edit any more
        ("messageUpdated", 6),
        ("messageDeleted", 7),
        ("chatUpdated", 8),
    ]
    data = [event.data for event in log.events]
    assert data[0]["name"] == data[7]["name"] == "After"
    assert data[1] == data[3] == data[5] and (data[1]["content"], data[1]["isEdited"]) == ("final", True)
    assert (data[2]["id"], data[2]["content"], data[2]["isEdited"], data[2]["editedAt"]) == (deleted, "", False, None)
    assert data[4] == data[6] == {"id": deleted, "chatId": chat_id}
    assert "SECRET" not in repr(log)


@pytest.mark.gen_test
async def test_every_replayed_object_has_exactly_its_channels_fields(db, world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob)
    for _ in range(2):
        message_id = await world.send(ada, chat_id)
        await world.edit(ada, message_id)
        await world.add(ada, chat_id, cy)
        await world.delete(ada, message_id)
        await world.remove(ada, chat_id, cy)
    log = await _replay(db, chat_id)
    assert len(log.events) == 11
    for event in log.events:
        assert tuple(event.data) == CHANNELS[event.channel].fields and event.meta == {}
        if "participantIds" in event.data:
            assert event.data["participantIds"] == sorted([ada, bob])


@pytest.mark.gen_test
async def test_a_page_that_ends_before_the_last_change_of_the_chat_names_its_people_too(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    for number in range(3):
        await world.send(ada, chat_id)
        await chats.update(db, ada, key(), chat_id, {"name": str(number)})
    for after in range(7):
        for limit in range(1, 8):
            for event in (await _replay(db, chat_id, after, limit=limit)).events:
                if event.channel.startswith("chat"):
                    assert event.data["participantIds"] == sorted([ada, bob]) and event.data["name"] == "2"


@pytest.mark.gen_test
async def test_a_page_begins_after_the_position_and_is_bounded_for_each_chat(db, world):
    ada = await world.user()
    one, two, three = [await world.group(ada) for _ in range(3)]
    for chat_id, count in ((one, 5), (two, 2)):
        for _ in range(count):
            await world.send(ada, chat_id)
    missing = key()
    logs = await events.replay(db, {one: 1, two: 0, three: 1, missing: 0}, [ada], 3)
    assert set(logs) == {one, two, three}
    assert {chat_id: [event.seq for event in log.events] for chat_id, log in logs.items()} == {
        one: [2, 3, 4],
        two: [1, 2, 3],
        three: [],
    }
    assert {chat_id: (log.head, log.floor) for chat_id, log in logs.items()} == {
        one: (6, 0),
        two: (3, 0),
        three: (1, 0),
    }
    assert all(log.members == {ada} for log in logs.values())
    assert (await _replay(db, one, 99)).events == []
    assert await events.replay(db, {}, [ada], 3) == {}


@pytest.mark.gen_test
async def test_members_are_those_asked_for_who_are_in_the_chat(db, world):
    ada, bob, eve = await world.users(3)
    chat_id = await world.group(ada, bob)
    assert (await _replay(db, chat_id, 0, [ada, eve])).members == {ada}
    assert (await _replay(db, chat_id, 1, [bob, eve])).members == {bob}  # also where no event is missing
    await world.remove(ada, chat_id, bob)
    assert (await _replay(db, chat_id, 0, [ada, bob])).members == {ada}
    await chats.delete(db, ada, key(), chat_id)
    log = await _replay(db, chat_id, 0, [ada, bob])
    assert log.members == frozenset() and log.head == 3 and log.events[-1].data["participantIds"] == []


@pytest.mark.gen_test
async def test_membership_and_events_of_a_replay_are_of_one_moment(db, world, opened):
    """Whoever still counts as a member gets nothing that was committed after their removal."""
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    other, done = World(await opened()), asyncio.Event()

    async def come_and_go():
        for _ in range(25):
            await other.remove(ada, chat_id, bob)
            await other.send(ada, chat_id, "Bob must not see this")
            await other.add(ada, chat_id, bob)
        done.set()

    work = asyncio.ensure_future(come_and_go())
    looked = 0
    while not done.is_set():
        log = await _replay(db, chat_id, 0, [bob], 1000)
        assert [event.seq for event in log.events] == list(range(1, log.head + 1))
        # Three events a round: out, said, in. Bob is a member exactly at the heads after the last of them.
        assert (bob in log.members) == (log.head % 3 == 1)
        about = [event for event in log.events if event.channel in ("chatAdded", "chatUpdated")]
        assert all((bob in event.data["participantIds"]) == (bob in log.members) for event in about)
        looked += 1
    await work
    assert looked > 5


@pytest.mark.gen_test
async def test_a_replay_during_writes_has_every_event_up_to_its_head(db, world, opened):
    ada = await world.user()
    chat_id = await world.group(ada)
    writer = World(await opened())
    writing = asyncio.gather(*(writer.send(ada, chat_id) for _ in range(60)))
    position = 0
    while position < 61:
        log = await _replay(db, chat_id, position, limit=1000)
        assert [event.seq for event in log.events] == list(range(position + 1, log.head + 1))
        position = log.head
    await writing


# Where a user stands


@pytest.mark.gen_test
async def test_membership_has_every_chat_with_its_bounds_and_counts(db, world):
    ada, bob = await world.users(2)
    one, two, left = [await world.group(bob, ada) for _ in range(3)]
    await world.send(bob, one)
    read = await world.send(bob, two)
    await world.read(ada, read)
    await world.send(bob, two)
    await world.remove(ada, left, ada)
    membership = await events.membership(db, ada)
    assert membership.chats == {one: events.Standing(2, 0, 1, 1, 1), two: events.Standing(3, 0, 1, 2, 1)}
    assert (membership.version, membership.epoch) == (4, await db.epoch())
    assert abs(datetime.now(timezone.utc) - membership.at) < timedelta(minutes=1)


@pytest.mark.gen_test
async def test_where_several_stand_in_one_chat_is_told_of_those_who_are_in_it(db, world):
    ada, bob, cy, dan = await world.users(4)
    chat_id = await world.group(ada, bob, dan)
    await world.send(ada, chat_id)
    await world.add(ada, chat_id, cy)
    await world.remove(ada, chat_id, dan)
    await world.send(ada, chat_id)
    assert await events.standings(db, chat_id, [bob, cy, dan]) == {
        bob: events.Standing(5, 0, 2, 1, 1),
        cy: events.Standing(5, 0, 1, 3, 3),
    }


@pytest.mark.gen_test
async def test_a_user_without_chats_has_a_membership_too(db, world):
    membership = await events.membership(db, await world.user())
    assert (membership.version, membership.chats) == (0, {})


@pytest.mark.gen_test
async def test_memberships_of_several_are_those_of_each(db, world):
    ada, bob, cy = await world.users(3)
    shared = await world.group(ada, bob)
    await world.send(ada, shared)
    await world.group(bob)
    found = await events.memberships(db, {ada, bob, cy, key()})
    assert set(found) == {ada, bob, cy}
    for person, membership in found.items():
        alone = await events.membership(db, person)
        assert (membership.version, membership.epoch, membership.chats) == (alone.version, alone.epoch, alone.chats)
    assert [len(found[person].chats) for person in (ada, bob, cy)] == [1, 2, 0]
    assert found[bob].chats[shared].unread == 1 and found[ada].chats[shared].unread == 0
    assert await events.memberships(db, []) == {}


# What changed


@pytest.mark.gen_test
async def test_only_differences_answer(db, world):
    ada, bob = await world.users(2)
    same, ahead, foreign = [await world.group(ada) for _ in range(3)]
    await world.send(ada, ahead)
    known = {same: 1, ahead: 1, key(): 7}
    changes = await events.changes(db, known, {ada: 3, bob: 0, key(): 1}, [])
    assert (changes.heads, changes.users, changes.sessions) == ({ahead: 2}, set(), set())
    assert changes.epoch == await db.epoch() and not changes.ran_back
    assert abs(datetime.now(timezone.utc) - changes.at) < timedelta(minutes=1)
    await world.add(ada, same, bob)
    changes = await events.changes(db, known, {ada: 3, bob: 0}, [])
    assert (changes.heads, changes.users) == ({ahead: 2, same: 2}, {bob})
    assert foreign not in changes.heads
    nothing = await events.changes(db, {}, {}, [])
    assert (nothing.heads, nothing.users, nothing.sessions, nothing.ran_back) == ({}, set(), set(), False)


@pytest.mark.gen_test
async def test_a_position_ahead_of_the_database_tells_that_it_was_restored(db, world):
    ada = await world.user()
    chat_id = await world.group(ada)
    changes = await events.changes(db, {chat_id: 5}, {}, [])
    assert changes.ran_back and changes.heads == {chat_id: 1}


@pytest.mark.gen_test
async def test_sessions_that_ended_answer(db):
    accounts = Accounts(
        db, AttemptLimits(100, 100, 60), hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    )
    tokens = [
        (await accounts.sign_up(None, f"session{number}", "correct horse", None, "::1", ""))["token"]
        for number in range(3)
    ]
    accounts.close()
    ids = [(await accounts.session(token)).id for token in tokens]
    assert (await events.changes(db, {}, {}, ids)).sessions == set()
    await accounts.sign_out(tokens[0])
    await db.rows("update sessions set expires_at = now() - interval '1 second' where id = %s returning 1", ids[1])
    assert (await events.changes(db, {}, {}, ids)).sessions == set(ids[:2])
    assert (await events.changes(db, {}, {}, ids[2:])).sessions == set()


@pytest.mark.gen_test
async def test_a_new_epoch_shows_everywhere(opened, new_database):
    url = new_database()
    db = await opened(url)
    ada = await World(db).user()
    before = await db.epoch()
    after = new_epoch(url)
    assert after != before and await db.epoch() == after
    assert (await events.changes(db, {}, {}, [])).epoch == (await events.membership(db, ada)).epoch == after


# Pruning


async def _aged(db, chat_id, up_to, days=40):
    await db.rows(
        "update chat_events set at = at - make_interval(days => %s) where chat_id = %s and seq <= %s returning 1",
        days,
        chat_id,
        up_to,
    )


async def _prune(db, limit=5000):
    """All that is due, page by page."""
    total = 0
    while pruned := await events.prune(db, 30, limit):
        total += pruned
    return total


@pytest.fixture
def own_url(new_database):
    return new_database()


@pytest.fixture
def own(io_loop, opened, own_url):
    """A world that shares its database with no other test: pruning is for all chats."""
    return World(io_loop.run_sync(lambda: opened(own_url)))


@pytest.mark.gen_test
async def test_pruning_forgets_what_is_old_and_raises_the_floor(own):
    ada = await own.user()
    chat_id, young, old = [await own.group(ada) for _ in range(3)]
    for _ in range(5):
        await own.send(ada, chat_id)
    await _aged(own.db, chat_id, 4)
    await _aged(own.db, old, 1)
    assert await events.prune(own.db, 30) == 5
    log = await _replay(own.db, chat_id)
    assert (log.head, log.floor, [event.seq for event in log.events]) == (6, 4, [5, 6])
    assert (await _replay(own.db, young)).floor == 0
    log = await _replay(own.db, old, users=[ada])
    assert (log.head, log.floor, log.events, log.members) == (1, 1, [], {ada})
    assert (await events.membership(own.db, ada)).chats[chat_id].floor == 4
    assert await events.prune(own.db, 30) == 0
    page = await messages.page(own.db, ada, chat_id)
    assert len(page["items"]) == 5  # the messages stay
    assert (await messages.send(own.db, ada, key(), old, "On", 50)).seq == 2


@pytest.mark.gen_test
async def test_pruning_in_small_pages_leaves_a_prefix_gone_after_each(own):
    ada = await own.user()
    made = [await own.group(ada) for _ in range(3)]
    for _ in range(4):
        for chat_id in made:
            await own.send(ada, chat_id)
    await own.db.rows("update chat_events set at = '2020-01-01' returning 1")  # all of one moment
    left = 15
    while left:
        assert await events.prune(own.db, 30, 4) == min(4, left)
        left -= min(4, left)
        for chat_id in made:
            log = await _replay(own.db, chat_id)
            assert [event.seq for event in log.events] == list(range(log.floor + 1, log.head + 1))
    assert await events.prune(own.db, 30, 4) == 0


@pytest.mark.gen_test
async def test_pruning_beside_writers_and_another_pruner_loses_no_event_and_no_floor(own):
    ada = await own.user()
    made = [await own.group(ada) for _ in range(4)]
    for chat_id in made:
        for _ in range(10):
            await own.send(ada, chat_id)
        await _aged(own.db, chat_id, 8)
    writes = [own.send(ada, chat_id) for chat_id in made for _ in range(15)]
    *_, one, other = await asyncio.gather(*writes, _prune(own.db, 7), _prune(own.db, 5))
    assert one + other == 32
    for chat_id in made:
        log = await _replay(own.db, chat_id)
        assert (log.floor, [event.seq for event in log.events]) == (8, list(range(9, 27)))


@pytest.mark.gen_test
async def test_pruning_raises_the_floor_of_a_chat_that_was_written_meanwhile(own, own_url):
    """The row that its statement saw is not the one that it updates."""
    ada = await own.user()
    chat_id = await own.group(ada)
    await _aged(own.db, chat_id, 1)
    with closing(psycopg2.connect(own_url)) as writer, writer.cursor() as cursor:
        cursor.execute("select send_message(%s, gen_random_uuid(), 1, %s, 'Slow', 50)", (ada, chat_id))
        pruning = asyncio.ensure_future(events.prune(own.db, 30))
        await until(lambda: own.db.rows("select from pg_locks where not granted"))
        writer.commit()
    assert await pruning == 1
    log = await _replay(own.db, chat_id)
    assert (log.head, log.floor, [event.seq for event in log.events]) == (2, 1, [2])


@pytest.mark.gen_test
async def test_after_pruning_a_key_is_forgotten(own):
    ada, op = await own.user(), key()
    chat_id = await own.group(ada)
    first = await messages.send(own.db, ada, op, chat_id, "Hello", 50)
    await _aged(own.db, chat_id, 2)
    await events.prune(own.db, 30)
    again = await messages.send(own.db, ada, op, chat_id, "Hello", 50)
    assert not again.repeated and again.answer["id"] != first.answer["id"]


# The envelope

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
    assert events.opened(event.channel, envelope(event, epoch, instance)) == (event, epoch, instance)


@given(some_events)
@quick
def test_the_documented_object_stands_under_the_channels_own_key(event):
    body = orjson.loads(envelope(event, "epoch", "web.1"))
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
        events.opened("messageDeleted", payload)


def test_an_untouched_envelope_is_opened():
    event, epoch, instance = events.opened("messageDeleted", _spoiled(lambda body: None))
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
        event, _, _ = events.opened("messageAdded", payload)
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
    place = events.glances(epoch)(channel, payload)
    return place and place[:2]


@given(addressed, ids)
@quick
def test_the_place_of_an_envelope_is_seen_in_its_bytes_by_those_of_its_epoch(event, epoch):
    payload = envelope(event, epoch, "web.1")
    assert glanced(event.channel, payload, epoch) == (event.chat_id, str(event.seq).encode())
    assert glanced(event.channel, payload, epoch[::-1]) is None or epoch == epoch[::-1]


@given(addressed, ids)
@quick
def test_a_projection_ends_as_its_message_does_and_as_nothing_else(event, epoch):
    def ends(one):
        payload = envelope(one, epoch, "web.1")
        end = events.glances(epoch)(one.channel, payload)[2]
        assert payload.endswith(end)
        return end

    for name in PROJECTIONS:
        assert ends(Event(name, event.chat_id, event.seq, {"chatId": event.chat_id}, event.meta)) == ends(event)
        assert ends(Event(name, event.chat_id, event.seq + 1, event.data, event.meta)) != ends(event)


CHAT, EPOCH = "6f1c0e0a-6a54-4a40-8a3f-0d6f5b0c7c11", "0b9f7a52-33f1-4d5e-9d55-4ea1f0d5c0de"
ENVELOPE = envelope(Event("messageAdded", CHAT, 2, {"content": "text"}), EPOCH, "web.1")


def test_what_somebody_writes_into_a_message_is_not_taken_for_the_envelope():
    other = key()
    end = ENVELOPE[ENVELOPE.index(b',"_":') :].decode().replace(CHAT, other)
    for text in (end, '"}' + end, "}" + end, '\\"}' + end, "\\\\}" + end):
        payload = envelope(Event("messageAdded", CHAT, 2, {"content": text, text: text}), EPOCH, "web.1")
        assert glanced("messageAdded", payload, EPOCH) == (CHAT, b"2")
        within = Event("messageAdded", CHAT, 2, {"content": {}, "_": orjson.loads(ENVELOPE)["_"] | {"chatId": other}})
        assert glanced("messageAdded", envelope(within, EPOCH, "web.1"), EPOCH) == (CHAT, b"2")
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


# The digest


def test_a_digest_is_the_same_in_every_process_and_release():
    """It is kept in the database and compared by whichever instance the retry reaches."""
    assert digest("send", "5f0c3a0e-0000-4000-8000-000000000001", "Hello, wörld") == 8974250578152145644
    assert digest("update", "chat", {"name": None, "description": "x"}) == -3218702647217940437


def test_a_digest_does_not_hang_on_the_order_of_a_bodys_fields():
    assert digest("update", "chat", {"name": "a", "description": "b"}) == digest(
        "update", "chat", {"description": "b", "name": "a"}
    )


@given(st.lists(texts, max_size=4))
@quick
def test_a_digest_is_a_signed_number_of_64_bits(parts):
    assert -(2**63) <= digest(*parts) < 2**63


@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
@quick
def test_different_operations_have_different_digests(one, other):
    assert (digest(*one) == digest(*other)) == (orjson.dumps(one) == orjson.dumps(other))


def test_the_logged_channels_are_those_that_the_log_renders():
    assert {"messageAdded", "messageUpdated", "messageDeleted", "chatAdded", "chatUpdated"} == LOGGED
