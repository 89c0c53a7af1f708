"""Group commit: who shares a transaction with whom, that each gets their own answer, and that together is the same as one by one."""

import asyncio
import contextlib
from collections import namedtuple

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import messages
from errors import Refused, Unavailable
from store.batches import Batches
from tests.chat.conftest import World, key, quick, refused

Item = namedtuple("Item", "chat_id key")


class Server:
    """What the batches are run on: every transaction waits until it is let go."""

    def __init__(self, **options):
        self.together, self.alone = [], []  # items of each transaction
        self.gates = []
        self.refuses = set()  # keys
        self.fails = None
        self.batches = Batches(self.run, self.run_alone, **{"seconds": 60, "patience": 0, **options})

    def ask(self, *items):
        return [asyncio.ensure_future(self.batches.call(Item(*item))) for item in items]

    async def run(self, items):
        self.together.append(items)
        await self._gate()
        if self.fails:
            raise self.fails
        return [Refused("not_found") if item.key in self.refuses else item for item in items]

    async def run_alone(self, item):
        self.alone.append(item)
        await self._gate()
        if item.key in self.refuses:
            raise Refused("not_found")
        return item

    async def _gate(self):
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate

    async def let_go(self, count=1):
        for _ in range(count):
            self.gates.pop(0).set_result(None)
        for _ in range(10):
            await asyncio.sleep(0)


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


class Clock:
    """The loop's clock, which leaps when it is told to."""

    def __init__(self, time):
        self._time, self._ahead = time, 0.0

    def time(self):
        return self._time() + self._ahead

    def go_on(self, seconds):
        self._ahead += seconds


@pytest.fixture
def clock(io_loop, monkeypatch):
    clock = Clock(io_loop.asyncio_loop.time)
    monkeypatch.setattr(io_loop.asyncio_loop, "time", clock.time)
    return clock


# Who goes with whom


@pytest.mark.gen_test
async def test_one_goes_at_once_and_alone():
    server = Server()
    (one,) = server.ask(("a", 1))
    await settled()
    assert server.alone == [Item("a", 1)] and not server.together
    await server.let_go()
    assert await one == Item("a", 1)


@pytest.mark.gen_test
async def test_what_comes_meanwhile_goes_together_and_each_has_its_answer():
    server = Server(lanes=1)
    server.refuses = {3}
    calls = server.ask(("a", 1), ("b", 2), ("c", 3), ("b", 4))
    await settled()
    assert server.alone == [Item("a", 1)] and not server.together
    await server.let_go()
    assert server.together == [[Item("b", 2), Item("c", 3), Item("b", 4)]]
    await server.let_go()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answer if isinstance(answer, Item) else answer.code for answer in answers] == [
        ("a", 1),
        ("b", 2),
        "not_found",
        ("b", 4),
    ]


@pytest.mark.gen_test
async def test_a_chat_is_in_one_transaction_at_a_time_and_holds_up_no_other():
    server = Server(lanes=2)
    server.ask(("slow", 1))
    waiting, *others = server.ask(("slow", 2), ("b", 3), ("slow", 4), ("c", 5), ("b", 6))
    await settled()
    while not all(call.done() for call in others if call is not others[1]):
        server.gates.pop(1).set_result(None)
        await settled()
    assert not waiting.done() and not others[1].done()
    await server.let_go()
    assert server.together[-1] == [Item("slow", 2), Item("slow", 4)]


@pytest.mark.gen_test
async def test_no_more_transactions_than_lanes_and_no_more_calls_in_one_than_most():
    server = Server(lanes=2, most=3)
    calls = server.ask(*((f"chat {number}", number) for number in range(9)))
    await settled()
    assert len(server.alone) + len(server.together) == 2
    while not all(call.done() for call in calls):
        assert len(server.gates) <= 2
        await server.let_go()
    assert [len(items) for items in server.together] == [3, 3] and len(server.alone) == 3


@pytest.mark.gen_test
async def test_behind_one_that_is_soon_done_all_go_together():
    server = Server(patience=30)
    calls = server.ask(("a", 1), ("b", 2), ("c", 3))
    await settled()
    assert server.alone == [Item("a", 1)] and not server.together
    await server.let_go()
    assert server.together == [[Item("b", 2), Item("c", 3)]]
    calls += server.ask(("d", 4))
    await settled()
    assert len(server.gates) == 1
    await server.let_go()
    await server.let_go()
    assert [call.result() for call in calls] == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


@pytest.mark.gen_test
async def test_beside_one_that_takes_longer_another_begins_and_no_third(clock):
    server = Server(patience=30)
    calls = server.ask(("a", 1), ("b", 2), ("a", 3), ("c", 4))
    await settled()
    clock.go_on(29)
    await settled()
    assert not server.together
    clock.go_on(2)
    await settled()
    assert server.together == [[Item("b", 2), Item("c", 4)]]
    calls += server.ask(("d", 5))
    await settled()
    clock.go_on(40)
    await settled()
    assert len(server.gates) == 2
    while not all(call.done() for call in calls):
        await server.let_go()


@pytest.mark.gen_test
async def test_beside_one_that_is_stuck_the_next_begins_as_soon_as_the_last_has_ended(clock):
    server = Server(patience=30)
    server.ask(("stuck", 1))
    await settled()
    clock.go_on(31)
    for number in range(3):
        (call,) = server.ask((f"free {number}", number))
        await settled()
        assert len(server.gates) == 2, "it waits for the patience with one that has ended"
        server.gates.pop().set_result(None)
        await settled()
        assert call.done()


@pytest.mark.gen_test
async def test_a_repetition_goes_later_than_what_it_repeats():
    server = Server(lanes=1)
    calls = server.ask(("x", 0), ("a", 1), ("a", 1), ("b", 1), ("c", 2))
    await settled()
    await server.let_go()
    assert server.together == [[Item("a", 1), Item("c", 2)]]
    while not all(call.done() for call in calls):
        await server.let_go()


# When it fails


@pytest.mark.parametrize("code", ["55P03", "40P01", "57014"])
@pytest.mark.gen_test
async def test_where_the_server_refuses_them_together_each_goes_alone(code):
    server = Server(lanes=1)
    server.fails, server.refuses = Unavailable("no lock"), {2}
    server.fails.__cause__ = type("Error", (psycopg2.Error,), {"pgcode": code})()
    calls = server.ask(("x", 0), ("a", 1), ("b", 2))
    await settled()
    await server.let_go(1)
    await server.let_go(1)
    await server.let_go(2)
    assert await calls[1] == Item("a", 1)
    with refused("not_found"):
        await calls[2]


@pytest.mark.gen_test
async def test_where_the_server_does_not_answer_all_hear_it_and_the_next_ones_go_on():
    server = Server(lanes=1)
    server.fails = Unavailable("no answer")
    calls = server.ask(("x", 0), ("a", 1), ("b", 2))
    await settled()
    await server.let_go(1)
    await server.let_go(1)
    for call in calls[1:]:
        with pytest.raises(Unavailable):
            await call
    server.fails = None
    (after,) = server.ask(("a", 3))
    await settled()
    await server.let_go()
    assert await after == Item("a", 3)


@pytest.mark.gen_test
async def test_nobody_waits_for_longer_than_a_statement_may_take():
    server = Server(lanes=1, seconds=0.05)
    first, *others = server.ask(("a", 1), ("a", 2), ("b", 3))
    for call in others:
        with pytest.raises(Unavailable):
            await call
    await server.let_go()
    assert await first == Item("a", 1)
    assert not server.together, "nobody waits for them any more"


@pytest.mark.gen_test
async def test_one_that_gives_up_leaves_the_others_and_its_chat_free():
    server = Server(lanes=1)
    first, waiting, other = server.ask(("a", 1), ("a", 2), ("b", 3))
    await settled()
    waiting.cancel()
    first.cancel()
    await settled()
    assert server.alone == [Item("a", 1), Item("b", 3)]
    server.gates.pop().set_result(None)
    assert await other == Item("b", 3)
    (again,) = server.ask(("a", 4))
    await settled()
    server.gates.pop().set_result(None)
    assert await again == Item("a", 4)


# The same as one by one

PEOPLE, CHATS = 4, 3


class Twin:
    """Chats of the same people, into which the same is sent: in one of two twins together, in the other one by one."""

    def __init__(self, world, people, chats):
        self.world, self.people, self.chats = world, people, chats

    @classmethod
    async def create(cls, world, people, outside):
        chats = []
        for number in range(CHATS):
            inside = [person for place, person in enumerate(people) if (place, number) not in outside]
            chats.append(await world.group(people[0], *inside))
        return cls(world, people, chats)

    async def live(self, past):
        """What happened before: messages, some of them read or deleted."""
        ids = []
        for what, person, chat in past:
            with contextlib.suppress(Refused):
                if what == "send" or not ids:
                    ids.append(await self.world.send(self.people[person], self.chats[chat]))
                elif what == "read":
                    await self.world.read(self.people[person], ids[-1])
                else:
                    await self.world.delete(self.people[0], ids[-1 - person % len(ids)])

    def items(self, sends, limit):
        return [
            messages._Sending(self.people[person], op, 7 + digest, self.chats[chat], f"message {number}", limit)
            for number, (person, chat, op, digest) in enumerate(sends)
        ]

    async def state(self):
        """What stands in the database, with chats and people by their numbers."""
        names = {id: number for number, id in enumerate(self.people)}
        found = []
        for chat in self.chats:
            for sql in (
                "select seq, ordinal, sender_id, content from messages where chat_id = %s order by seq",
                "select seq, kind, actor_id from chat_events where chat_id = %s order by seq",
                "select user_id, read_seq, read_count from participants where chat_id = %s",
                "select user_id, seq from reads where chat_id = %s order by seq, user_id",
                "select user_id, unread, head_seq, read_seq from unread_counts(%s, null, null)",
            ):
                rows = await self.world.db.rows(sql, chat)
                found.append(sorted(tuple(names.get(value, value) for value in row) for row in rows))
        return found


def told(outcomes, people):
    """What is said of each message, and the last unread count that each person is told in each chat."""
    answers, counts = [], {}
    for outcome in outcomes:
        if isinstance(outcome, Refused):
            answers.append((outcome.code, outcome.field))
            continue
        answers.append(
            (
                outcome.repeated,
                outcome.message.seq,
                outcome.message.content,
                outcome.derive if not outcome.repeated else None,
                outcome.read_now,
            )
        )
        for user, unread, *_ in outcome.unread:
            counts[outcome.message.chat_id, people.index(user)] = unread
    return answers, counts


person, chat = st.integers(0, PEOPLE - 1), st.integers(0, CHATS - 1)


@pytest.mark.gen_test
async def test_together_is_the_same_as_one_by_one(db, world, io_loop):
    people = await world.users(PEOPLE)

    async def compare(outside, past, sends, limit):
        sends = [(who, where, key(), 0) for who, where in sends]
        again = [(*sends[number % len(sends)][:3], number % 2) for number in (0, 3)]  # a repetition, and a reused key
        twins = [await Twin.create(world, people, outside) for _ in range(2)]
        for twin in twins:
            await twin.live(past)
        one_by_one, together = twins
        answers = []
        for item in one_by_one.items(sends, limit):
            answers.append(await _alone(db, item))
        fresh = [(who, where, key(), 0) for who, where, *_ in sends]
        answers += [await _alone(db, item) for item in one_by_one.items(again, limit)]
        mapped = {op: new[2] for (_, _, op, _), new in zip(sends, fresh, strict=True)}
        found = await messages._send_together(db, together.items(fresh, limit))
        found += await messages._send_together(
            db, together.items([(who, where, mapped[op], d) for who, where, op, d in again], limit)
        )
        assert await one_by_one.state() == await together.state()
        (said, counts), (also, counts_too) = told(answers, people), told(found, people)
        assert said == also
        chats = dict(zip(together.chats, one_by_one.chats, strict=True))
        assert {(chats[where], who): count for (where, who), count in counts_too.items()} == counts

    examples = []

    @quick
    @given(
        st.sets(st.tuples(st.integers(1, PEOPLE - 1), chat)),
        st.lists(st.tuples(st.sampled_from(["send", "send", "read", "delete"]), person, chat), max_size=8),
        st.lists(st.tuples(person, chat), min_size=1, max_size=8),
        st.sampled_from([2, 50]),
    )
    def collect(outside, past, sends, limit):
        examples.append((outside, past, sends, limit))

    collect()
    for example in examples:
        await compare(*example)


async def _alone(db, item):
    try:
        return await messages._send_alone(db, item)
    except Refused as refusal:
        return refusal


@pytest.mark.gen_test
async def test_many_at_once_take_one_order_and_each_has_its_answer(world, opened):
    people = await world.users(6)
    chats = [await world.group(*people[:5]) for _ in range(4)]
    worlds = [world, World(await opened())]

    async def send(number):
        try:
            outcome = await messages.send(
                worlds[number % 2].db, people[number % 6], key(), chats[number % 4], f"{number}", 50
            )
            return number % 4, outcome.seq
        except Refused as refusal:
            return refusal.code

    answers = await asyncio.gather(*(send(number) for number in range(120)))
    assert answers.count("not_found") == 20
    for number, chat_id in enumerate(chats):
        seqs = sorted(seq for answer in answers if answer != "not_found" for where, seq in [answer] if where == number)
        assert seqs == list(range(2, 2 + len(seqs)))
        assert await world.head(chat_id) == seqs[-1]


@pytest.mark.gen_test
async def test_a_chat_that_somebody_holds_holds_up_none_of_the_others(world, opened, database):
    ada, bob = await world.users(2)
    held, *others = [await world.group(ada, bob) for _ in range(8)]
    db = await opened(lock_seconds=1.0)
    with contextlib.closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("select 1 from chats where id = %s for update", (held,))
        stuck = [asyncio.ensure_future(messages.send(db, ada, key(), held, "Stuck", 50)) for _ in range(2)]
        await asyncio.gather(*(messages.send(db, bob, key(), chat_id, "Free", 50) for chat_id in others * 3))
        assert not any(call.done() for call in stuck)
        connection.rollback()
        await asyncio.gather(*stuck)
