"""Reading: watermarks that only move forward, and who read a message when."""

import asyncio
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import chats, messages, reads
from chat.payloads import iso
from tests.chat.conftest import World, key, quick, refused, until


async def _watermark(db, chat_id, user_id):
    return await db.row("select * from participants where chat_id = %s and user_id = %s", chat_id, user_id)


async def _readers(db, actor, message_id):
    return {item["userId"]: item["readAt"] for item in (await reads.of_message(db, actor, message_id))["items"]}


# The watermark


@pytest.mark.gen_test
async def test_reading_a_message_reads_everything_before_it(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first, second, third = [await world.send(bob, chat_id) for _ in range(3)]
    outcome = await world.read(ada, second)
    read_at = outcome.answer["readAt"]
    assert outcome.answer == {"messageId": second, "userId": ada, "readAt": read_at} and not outcome.repeated
    assert await _readers(db, bob, first) == {ada: read_at} == await _readers(db, bob, second)
    assert await _readers(db, bob, third) == {}


@pytest.mark.gen_test
async def test_reading_publishes_the_watermark_and_the_readers_count(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first = await world.send(bob, chat_id)
    await world.send(bob, chat_id)
    outcome = await world.read(ada, first)
    assert outcome.seq is None  # not logged
    read, count = outcome.events
    assert (read.channel, read.chat_id, read.seq, read.data) == ("messageReadUpdated", chat_id, 2, outcome.answer)
    assert read.meta == {"head": 3}  # not to be told to whoever was removed before it
    assert (count.channel, count.chat_id, count.seq) == ("unreadCountUpdated", chat_id, 3)
    assert count.data == {"chatId": chat_id, "userId": ada, "unreadCount": 1} and count.meta == {"readSeq": 2}


@pytest.mark.gen_test
async def test_a_watermark_does_not_move_back(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first, second = [await world.send(bob, chat_id) for _ in range(2)]
    at = (await world.read(ada, second)).answer["readAt"]
    for message_id in (first, second):
        again = await world.read(ada, message_id)
        assert (again.repeated, again.events) == (True, [])
        assert again.answer == {"messageId": message_id, "userId": ada, "readAt": at}
    assert (await _watermark(db, chat_id, ada)).read_seq == 3


@pytest.mark.gen_test
async def test_reads_and_sends_at_the_same_time_leave_the_greatest_watermark(db, world, opened):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    sent = [await world.send(bob, chat_id) for _ in range(10)]
    worlds = [world, World(await opened())]
    await asyncio.gather(
        *(worlds[number % 2].read(ada, message_id) for number, message_id in enumerate(sent[::-1])),
        *(worlds[number % 2].send(ada, chat_id) for number in range(5)),
    )
    mine = await _watermark(db, chat_id, ada)
    assert mine.read_seq == await world.head(chat_id) == 16 and mine.read_count == 15
    rows = await db.rows("select seq, at from reads where chat_id = %s and user_id = %s order by seq", chat_id, ada)
    assert [row.at for row in rows] == sorted(row.at for row in rows)


@pytest.mark.gen_test
async def test_a_mark_that_waited_for_a_greater_one_moves_nothing_back(db, world, database):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first, second = [await world.send(bob, chat_id) for _ in range(2)]
    with closing(psycopg2.connect(database)) as greater, greater.cursor() as cursor:
        cursor.execute("select mark_read(%s, %s)", (ada, second))
        waiting = asyncio.ensure_future(world.read(ada, first))
        await until(lambda: db.rows("select from pg_locks where not granted"))
        greater.commit()
    assert (await waiting).repeated and (await _watermark(db, chat_id, ada)).read_seq == 3


@pytest.mark.gen_test
async def test_sending_reads_the_chat_up_to_the_message_sent(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    asked = await world.send(bob, chat_id)
    answered = (await messages.send(db, ada, key(), chat_id, "Yes", 50)).answer
    assert await _readers(db, bob, asked) == {ada: answered["createdAt"]}
    assert (await _watermark(db, chat_id, ada)).read_seq == answered["seq"]
    assert await _readers(db, ada, answered["id"]) == {}  # not even its sender


@pytest.mark.gen_test
async def test_marking_an_older_message_answers_when_it_was_first_read(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first, second, third = [await world.send(bob, chat_id) for _ in range(3)]
    times = []
    for number, message_id in enumerate((first, third)):
        await world.read(ada, message_id)
        await db.rows(
            """update reads set at = at - make_interval(secs => %s)
                         where chat_id = %s and seq = (select seq from messages where id = %s) returning 1""",
            60 - 10 * number,
            chat_id,
            message_id,
        )
        times.append((await world.read(ada, message_id)).answer["readAt"])
    await messages.send(db, ada, key(), chat_id, "Seen", 50)
    again = [(await world.read(ada, message_id)).answer["readAt"] for message_id in (first, second, third)]
    assert again == [times[0], times[1], times[1]]
    assert await _readers(db, bob, second) == {ada: times[1]}


@pytest.mark.gen_test
async def test_ones_own_message_was_read_when_it_was_sent(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    own = (await messages.send(world.db, ada, key(), chat_id, "Mine", 50)).answer
    await world.db.rows(
        "update participants set read_at = read_at + interval '1 minute' where chat_id = %s returning 1", chat_id
    )
    await world.send(bob, chat_id)
    later = await world.send(bob, chat_id)
    await world.read(ada, later)
    assert (await world.read(ada, own["id"])).answer["readAt"] == own["createdAt"]


@pytest.mark.gen_test
async def test_what_was_said_before_one_joined_was_read_on_joining_whatever_one_reads_later(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada)
    old = await world.send(ada, chat_id)
    await world.add(ada, chat_id, bob)
    await db.rows(
        "update participants set joined_at = joined_at - interval '1 minute' where chat_id = %s returning 1", chat_id
    )
    joined_at = iso((await _watermark(db, chat_id, bob)).joined_at)
    first = await world.read(bob, old)
    assert (first.answer["readAt"], first.repeated, first.events) == (joined_at, True, [])
    await world.read(bob, await world.send(ada, chat_id))
    assert (await world.read(bob, old)).answer["readAt"] == joined_at


@pytest.mark.gen_test
async def test_a_message_is_not_read_before_it_was_sent_when_the_clock_runs_back(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    await db.rows("update chats set last_at = now_ms() + interval '1 hour' where id = %s returning 1", chat_id)
    sent = (await messages.send(db, bob, key(), chat_id, "From the future", 50)).answer
    assert (await world.read(ada, sent["id"])).answer["readAt"] == sent["createdAt"]


@pytest.mark.gen_test
async def test_a_deleted_message_can_be_read(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(bob, chat_id)
    await world.delete(bob, message_id)
    assert not (await world.read(ada, message_id)).repeated
    assert (await _watermark(db, chat_id, ada)).read_seq == 2


@pytest.mark.gen_test
async def test_what_is_foreign_and_what_is_missing_answer_alike(db, world):
    ada, bob, eve = await world.users(3)
    chat_id = await world.group(ada, bob, eve)
    message_id = await world.send(ada, chat_id)
    await world.remove(ada, chat_id, eve)
    for message in (message_id, key()):
        with refused("not_found", None):
            await world.read(eve, message)
        with refused("not_found", None):
            await reads.of_message(db, eve, message)


# Who has read a message


@pytest.mark.gen_test
async def test_readers_are_listed_in_pages_without_the_sender(db, world):
    ada, *others = await world.users(6)
    chat_id = await world.group(ada, *others)
    message_id = await world.send(ada, chat_id)
    for other in others[:4]:
        await world.read(other, message_id)
    first = await reads.of_message(db, ada, message_id, limit=3)
    second = await reads.of_message(db, others[4], message_id, after=first["next"], limit=3)
    listed = [item["userId"] for item in first["items"] + second["items"]]
    assert listed == sorted(others[:4]) and first["next"] == listed[2] and second["next"] is None
    assert (await reads.of_message(db, ada, message_id, limit=4))["next"] is None
    assert all(item["messageId"] == message_id and item["readAt"] for item in first["items"])


@pytest.mark.gen_test
async def test_one_who_joined_later_is_no_reader_of_what_was_said_before(db, world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    message_id = await world.send(ada, chat_id)
    await world.read(bob, message_id)
    await world.remove(ada, chat_id, bob)
    await world.remove(ada, chat_id, cy)
    await world.add(ada, chat_id, bob, cy)
    newer = await world.send(ada, chat_id)
    await world.read(bob, newer)
    assert await _readers(db, ada, message_id) == {}
    assert list(await _readers(db, ada, newer)) == [bob]


@pytest.mark.gen_test
async def test_one_who_left_is_no_reader(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(ada, chat_id)
    await world.read(bob, message_id)
    await world.remove(bob, chat_id, bob)
    assert await _readers(db, ada, message_id) == {}


# All of it, against a model

PEOPLE = 3


@dataclass
class _Reader:
    """What one person has reached since joining: `(seq, time)`, in order."""

    user_id: str
    joined_seq: int
    joined_at: str
    reached: list = field(default_factory=list)

    @property
    def seq(self):
        return self.reached[-1][0] if self.reached else self.joined_seq

    def first_time(self, message):
        if message["senderId"] == self.user_id:
            return message["createdAt"]
        if message["seq"] <= self.joined_seq:
            return self.joined_at
        return next(at for seq, at in self.reached if seq >= message["seq"])


steps = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "read", "leave", "join"]), st.integers(0, PEOPLE - 1), st.integers(0, 30)
    ),
    min_size=5,
    max_size=40,
)


@given(steps)
@quick
def test_who_read_what_when_follows_from_the_watermarks(io_loop, world, taken):
    io_loop.run_sync(lambda: _follow(world, taken), timeout=30)


async def _follow(world, taken):
    owner, *people = await world.users(PEOPLE + 1)
    chat_id = await world.group(owner, *people)
    sent, readers = [], {}

    async def join(person):
        row = await _watermark(world.db, chat_id, person)
        readers[person] = _Reader(person, row.joined_seq, iso(row.joined_at))

    for person in people:
        await join(person)
    for what, who, which in taken:
        person = people[who]
        if what == "join" and person not in readers:
            await world.add(owner, chat_id, person)
            await join(person)
        elif what == "leave" and person in readers:
            await world.remove(person, chat_id, person)
            del readers[person]
        elif what == "send" and person in readers:
            message = (await messages.send(world.db, person, key(), chat_id, "Hello", 50)).answer
            sent.append(message)
            readers[person].reached.append((message["seq"], message["createdAt"]))
        elif what == "read" and person in readers and sent:
            message = sent[which % len(sent)]
            outcome = await world.read(person, message["id"])
            reader = readers[person]
            assert outcome.repeated == (message["seq"] <= reader.seq)
            if not outcome.repeated:
                reader.reached.append((message["seq"], outcome.answer["readAt"]))
            assert outcome.answer["readAt"] == reader.first_time(message)
            assert (await _watermark(world.db, chat_id, person)).read_seq == reader.seq
    for message in sent:
        assert await _readers(world.db, owner, message["id"]) == {
            person: reader.first_time(message)
            for person, reader in readers.items()
            if person != message["senderId"] and reader.joined_seq < message["seq"] <= reader.seq
        }


# What moved since


@pytest.mark.gen_test
async def test_since_answers_each_watermark_that_moved_once_and_newest(db, world):
    ada, bob, cy = await world.users(3)
    chat_id, quiet = await world.group(ada, bob, cy), await world.group(ada, bob)
    first, second = [await world.send(ada, chat_id) for _ in range(2)]
    await world.read(bob, await world.send(ada, quiet))
    await db.rows("update reads set at = at - interval '1 hour' where chat_id = %s returning 1", quiet)
    moment = datetime.now(timezone.utc)
    await world.read(bob, first)
    read_at = (await world.read(bob, second)).answer["readAt"]
    await world.send(cy, chat_id)
    found = {event.data["userId"]: event for event in await reads.since(db, [chat_id, quiet], moment)}
    assert set(found) == {bob, cy}
    assert (found[bob].channel, found[bob].chat_id, found[bob].seq) == ("messageReadUpdated", chat_id, 3)
    assert found[bob].data == {"messageId": second, "userId": bob, "readAt": read_at}
    assert found[cy].seq == 4 and all(event.meta == {"head": 4} for event in found.values())
    assert {event.chat_id for event in await reads.since(db, [quiet], moment - timedelta(hours=2))} == {quiet}
    assert await reads.since(db, [], moment) == []


@pytest.mark.gen_test
async def test_since_tells_an_actor_only_of_chats_that_they_are_in(db, world):
    ada, bob, cy = await world.users(3)
    shared, left = await world.group(ada, bob, cy), await world.group(ada, bob, cy)
    for chat_id in (shared, left):
        await world.read(bob, await world.send(ada, chat_id))
    await world.remove(cy, left, cy)
    moment = datetime.now(timezone.utc)
    for actor, told in ((cy, {shared}), (bob, {shared, left}), (await world.user(), set()), (None, {shared, left})):
        assert {event.chat_id for event in await reads.since(db, [shared, left], moment, actor)} == told


@pytest.mark.gen_test
async def test_since_looks_back_a_little_for_what_was_committed_late(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    at = (await world.read(bob, await world.send(ada, chat_id))).answer["readAt"]
    moment = datetime.fromisoformat(at.replace("Z", "+00:00"))
    assert len(await reads.since(db, [chat_id], moment + timedelta(seconds=9))) == 1
    assert await reads.since(db, [chat_id], moment + timedelta(seconds=11)) == []


@pytest.mark.gen_test
async def test_watermarks_are_of_everybody_who_is_in_the_chat(db, world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    message_id = await world.send(ada, chat_id)
    await world.read(bob, message_id)
    await world.remove(ada, chat_id, cy)
    marks = await reads.watermarks(db, chat_id)
    assert [mark["userId"] for mark in marks] == sorted([ada, bob])
    assert all((mark["messageId"], mark["seq"]) == (message_id, 2) and mark["readAt"] for mark in marks)
    await chats.delete(db, ada, key(), chat_id)
    assert await reads.watermarks(db, chat_id) == []
