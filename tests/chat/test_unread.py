"""Unread counts against a naive model, and which of two counts is the newer."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import chats, memberships, messages, unread
from chat.unread import Age, compare
from tests.chat.conftest import World, key, quick, refused

# Against a model

PEOPLE = 3
LARGE = 3  # with an owner who only watches: more participants than this and counts are derived


class Model:
    """The definition, taken literally: messages by others, not deleted, above the watermark."""

    def __init__(self):
        self.head = 1
        self.sent = {}  # id: (seq, sender)
        self.deleted = set()
        self.watermarks = {}

    def count(self, person):
        return sum(
            seq > self.watermarks[person] and sender != person and message_id not in self.deleted
            for message_id, (seq, sender) in self.sent.items()
        )

    def counts(self):
        return {person: self.count(person) for person in self.watermarks}

    def join(self, person):
        self.head += 1
        self.watermarks[person] = self.head

    def leave(self, person):
        self.head += 1
        del self.watermarks[person]

    def send(self, person, message_id):
        self.head += 1
        self.sent[message_id] = (self.head, person)
        self.watermarks[person] = self.head

    def delete(self, message_id):
        self.head += 1
        self.deleted.add(message_id)

    def read(self, person, message_id):
        self.watermarks[person] = max(self.watermarks[person], self.sent[message_id][0])


actions = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "delete", "read", "read", "leave", "join"]),
        st.integers(0, PEOPLE - 1),
        st.integers(0, 30),
        st.sampled_from([50, 50, LARGE]),
    ),
    min_size=5,
    max_size=40,
)


@given(actions)
@quick
def test_counts_are_those_of_the_definition_whatever_happens(io_loop, world, taken):
    io_loop.run_sync(lambda: _live_through(world, taken), timeout=30)


async def _live_through(world, taken):
    owner, *people = await world.users(PEOPLE + 1)
    chat_id = await world.group(owner, *people)
    model = Model()
    model.watermarks = dict.fromkeys([owner, *people], 1)
    for what, who, which, limit in taken:
        person, before = people[who], model.counts()
        message_id = list(model.sent)[which % len(model.sent)] if model.sent else None
        here, outcome = person in model.watermarks, None
        if what == "join" and not here:
            outcome = await world.add(owner, chat_id, person)
            model.join(person)
        elif what == "leave" and here:
            outcome = await world.remove(person, chat_id, person)
            model.leave(person)
        elif what == "send" and here:
            outcome = await messages.send(world.db, person, key(), chat_id, "Hello", limit)
            model.send(person, outcome.answer["id"])
        elif what == "delete" and message_id and message_id not in model.deleted:
            outcome = await world.delete(owner, message_id, limit=limit)
            model.delete(message_id)
        elif what == "read" and here and message_id:
            outcome = await world.read(person, message_id)
            model.read(person, message_id)
        if outcome is None:
            continue
        after = model.counts()
        _check_published(model, outcome, what, person, before, after, len(after) > limit)
        found = await world.db.rows("select * from unread_counts(%s, null, null)", chat_id)
        assert {row.user_id: row.unread for row in found} == after
        assert {row.user_id: row.read_seq for row in found} == model.watermarks
    for person, count in model.counts().items():
        assert (await unread.of_chat(world.db, person, chat_id))["unreadCount"] == count
        assert (await chats.get(world.db, person, chat_id))["unreadCount"] == count
        assert (await unread.of_user(world.db, person))["total"] == count
        standing = (await memberships.membership(world.db, person)).chats[chat_id]
        assert (standing.unread, standing.read_seq, standing.head) == (count, model.watermarks[person], model.head)


def _check_published(model, outcome, what, person, before, after, large):
    published = [event for event in outcome.events if event.channel == "unreadCountUpdated"]
    told = [event.data["userId"] for event in published]
    assert len(told) == len(set(told))
    changed = {one for one in after if one in before and after[one] != before[one]}
    if what in ("join", "leave") or large and what in ("send", "delete"):
        assert told == []
    elif what == "read":
        assert set(told) == (set() if outcome.repeated else {person})
    else:
        assert set(told) == changed
    for event in published:
        assert event.data["unreadCount"] == after[event.data["userId"]]
        assert (event.seq, event.meta) == (model.head, {"readSeq": model.watermarks[event.data["userId"]]})
    if what in ("send", "delete"):
        assert outcome.events[0].meta == ({"unread": "derive"} if large else {})


@pytest.mark.gen_test
async def test_counts_hold_when_everybody_acts_at_once(db, world, opened):
    people = await world.users(4)
    chat_id = await world.group(*people)
    worlds = [world, World(await opened())]

    async def act(number, person):
        own = worlds[number % 2]
        for round in range(8):
            message_id = await own.send(person, chat_id)
            if round % 3 == number % 3:
                await own.delete(person, message_id)
            newest = (await messages.page(own.db, person, chat_id, limit=3))["items"]
            await own.read(person, newest[0]["id"])

    await asyncio.gather(*(act(number, person) for number, person in enumerate(people)))
    naive = await db.rows(
        """select p.user_id, count(m.id) as unread from participants p left join messages m
             on m.chat_id = p.chat_id and m.seq > p.read_seq and m.sender_id <> p.user_id and m.deleted_at is null
           where p.chat_id = %s group by p.user_id""",
        chat_id,
    )
    for row in naive:
        assert (await unread.of_chat(db, row.user_id, chat_id))["unreadCount"] == row.unread


# What one asks for


@pytest.mark.gen_test
async def test_the_sum_is_of_the_chats_with_unread_messages(db, world):
    ada, bob = await world.users(2)
    one, two, quiet = [await world.group(ada, bob) for _ in range(3)]
    for chat_id in (one, two, two):
        await world.send(bob, chat_id)
    await world.send(ada, quiet)
    found = await unread.of_user(db, ada)
    assert {item["chatId"]: item["unreadCount"] for item in found["items"]} == {one: 1, two: 2}
    assert all(item["userId"] == ada for item in found["items"])
    assert (found["total"], found["next"]) == (3, None)
    assert await unread.of_user(db, await world.user()) == {"items": [], "next": None, "total": 0}


@pytest.mark.gen_test
async def test_what_is_foreign_and_what_is_missing_answer_alike(db, world):
    ada, eve = await world.users(2)
    for chat_id in (await world.group(ada), key()):
        with refused("not_found", None):
            await unread.of_chat(db, eve, chat_id)


@pytest.mark.gen_test
async def test_counts_asked_for_are_of_the_participants_among_those_named(db, world):
    ada, bob, cy, eve = await world.users(4)
    chat_id = await world.group(ada, bob, cy)
    await world.send(ada, chat_id)
    found = await unread.counts(db, chat_id, {ada, bob, eve})
    assert {event.data["userId"]: event.data["unreadCount"] for event in found} == {ada: 0, bob: 1}
    assert {event.data["userId"]: (event.channel, event.seq, event.meta["readSeq"]) for event in found} == {
        ada: ("unreadCountUpdated", 2, 2),
        bob: ("unreadCountUpdated", 2, 1),
    }
    assert await unread.counts(db, chat_id, []) == [] == await unread.counts(db, key(), [ada])


# Which of two is newer

LATTICE = list(itertools.product(range(4), range(4)))  # (head, watermark)


def test_a_count_is_newer_when_it_saw_all_that_the_other_saw_and_more():
    for known, found in itertools.product(LATTICE, LATTICE):
        saw_all = known[0] <= found[0] and known[1] <= found[1]
        was_seen = found[0] <= known[0] and found[1] <= known[1]
        expected = Age.STALE if was_seen else Age.NEWER if saw_all else Age.UNCLEAR
        assert compare(known, found) is expected
    assert all(compare(None, found) is Age.NEWER for found in LATTICE)


def _seen_in(history):
    """Every (head, watermark) at which somebody may count during this history, and the last.

    A statement sees the head and the watermark of one snapshot and, of an uncommitted transaction, only its own. So the two need
    not have stood side by side: all pairs are possible in which neither runs ahead of the end.
    """
    head, watermark = history.count("event"), history.count("read")
    return [(h, w) for h in range(head + 1) for w in range(watermark + 1)], (head, watermark)


@pytest.mark.parametrize(
    "history", ["event", "read", "event event", "event read", "event event read", "event read read"]
)
def test_whatever_order_counts_arrive_in_the_last_one_shown_is_the_true_one(history):
    seen, end = _seen_in(history.split())
    for arrivals in itertools.permutations(seen):
        shown = None
        for found in arrivals:
            age = compare(shown, found)
            if age is Age.NEWER:
                shown = found
            elif age is Age.UNCLEAR:
                shown = end  # asked for afresh
        assert shown == end


@given(st.lists(st.sampled_from(["event", "read"]), max_size=8), st.data())
@quick
def test_nothing_newer_is_ever_dropped_and_nothing_older_ever_shown(history, data):
    seen, end = _seen_in(history)
    shown = None
    for found in data.draw(st.permutations(seen)):
        before, age = shown, compare(shown, found)
        if age is Age.NEWER:
            shown = found
        assert before is None or shown[0] >= before[0] and shown[1] >= before[1]
        if age is Age.STALE:
            assert found[0] <= shown[0] and found[1] <= shown[1]
