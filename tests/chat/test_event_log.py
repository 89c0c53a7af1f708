"""The log as it reads today, and its pruning."""

import asyncio
from contextlib import closing

import psycopg2
import pytest

from chat import chats, event_log, memberships, messages
from chat.channels import CHANNELS, LOGGED
from tests.chat.conftest import World, key, until


async def _replay(db, chat_id, after=0, users=(), limit=100):
    return (await event_log.replay(db, {chat_id: after}, users, limit))[chat_id]


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
    assert {event.channel for event in log.events} <= LOGGED


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
    assert "deletedAt" not in data[1] and data[2]["deletedAt"] > data[2]["createdAt"]
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
        tombstone = ("deletedAt",) if event.channel == "messageAdded" else ()  # both messages are deleted
        assert tuple(event.data) == CHANNELS[event.channel].fields + tombstone and event.meta == {}
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
    logs = await event_log.replay(db, {one: 1, two: 0, three: 1, missing: 0}, [ada], 3)
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
    assert await event_log.replay(db, {}, [ada], 3) == {}


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


def test_the_logged_channels_are_those_that_the_log_renders():
    assert {"messageAdded", "messageUpdated", "messageDeleted", "chatAdded", "chatUpdated"} == LOGGED


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
    while pruned := await event_log.prune(db, 30, limit):
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
    assert await event_log.prune(own.db, 30) == 5
    log = await _replay(own.db, chat_id)
    assert (log.head, log.floor, [event.seq for event in log.events]) == (6, 4, [5, 6])
    assert (await _replay(own.db, young)).floor == 0
    log = await _replay(own.db, old, users=[ada])
    assert (log.head, log.floor, log.events, log.members) == (1, 1, [], {ada})
    assert (await memberships.membership(own.db, ada)).chats[chat_id].floor == 4
    assert await event_log.prune(own.db, 30) == 0
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
        assert await event_log.prune(own.db, 30, 4) == min(4, left)
        left -= min(4, left)
        for chat_id in made:
            log = await _replay(own.db, chat_id)
            assert [event.seq for event in log.events] == list(range(log.floor + 1, log.head + 1))
    assert await event_log.prune(own.db, 30, 4) == 0


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
        cursor.execute("select create_message(%s, gen_random_uuid(), 1, %s, 'Slow', 50)", (ada, chat_id))
        pruning = asyncio.ensure_future(event_log.prune(own.db, 30))
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
    await event_log.prune(own.db, 30)
    again = await messages.send(own.db, ada, op, chat_id, "Hello", 50)
    assert not again.repeated and again.answer["id"] != first.answer["id"]
