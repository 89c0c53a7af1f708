"""The work itself: at once where it was committed, later where it was missed, and never twice at a time."""

import asyncio
import logging
import time

import pytest

import metrics
from tests.chat.conftest import until
from workers import positions, worker
from workers.consumers import Consumer
from workers.worker import Limits, Worker

TEST = Consumer("test", None, everywhere=True)


def done(work, chat_id, seqs):
    """A condition: exactly these events of the chat are worked off, each once and in order."""

    async def condition():
        return work.done.get(chat_id) == list(seqs)

    return condition


def sample(name, consumer="test"):
    return metrics.REGISTRY.get_sample_value(f"parley_consumer_{name}", {"consumer": consumer})


async def swept():
    """The one sweep at the start is over."""
    return sample("due_chats") == 0


async def settled(position, chat_id, seq):
    async def condition():
        row = await position(chat_id)
        return row is not None and (row.position, row.leased_until, row.due_at) == (seq, None, None)

    await until(condition)


@pytest.mark.gen_test
async def test_what_was_committed_here_is_done_at_once_and_together(world, instance, work, position):
    ada, bob = await world.users(2)
    chats = [await world.group(ada, bob) for _ in range(5)]
    workers = await instance(work, work_sweep_seconds=60.0)
    before = sample("done_total")
    await until(done(work, chats[0], [1]))  # the first sweep has found them
    for chat in chats:
        await world.send(ada, chat)
    for chat in chats * 2:
        workers.committed(chat)
    for chat in chats:
        await until(done(work, chat, [1, 2]))
        await settled(position, chat, 2)
    assert sorted(work.calls[-1]) == sorted(chats)
    await until(lambda: seen("done_total", before + 10))


async def seen(name, value):
    return sample(name) == value


@pytest.mark.gen_test
async def test_what_an_instance_left_undone_is_found_by_another(world, instance, work, position):
    """As where it was killed after the commit, or was of a release without this consumer."""
    ada, bob = await world.users(2)
    await instance(work)
    chat = await world.group(ada, bob)
    await until(done(work, chat, [1]))
    await world.send(ada, chat)
    await until(done(work, chat, [1, 2]))
    await settled(position, chat, 2)


@pytest.mark.gen_test
async def test_of_two_instances_one_does_it(world, instance, work, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    both = [await instance(work), await instance(work)]
    await until(done(work, chat, [1]))
    for seq in range(2, 12):
        await world.send(ada, chat)
        for workers in both:
            workers.committed(chat)
        if seq % 3:
            await until(done(work, chat, range(1, seq + 1)))
    await until(done(work, chat, range(1, 12)))
    await settled(position, chat, 11)
    assert work.done[chat] == list(range(1, 12))


@pytest.mark.parametrize("sweep_seconds", [0.1, 600.0], ids=["found by a sweep", "noted"])
@pytest.mark.gen_test
async def test_what_an_instance_had_leased_when_it_was_killed_is_done_when_the_lease_has_ended(
    world, instance, work, position, sweep_seconds
):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    begun = time.monotonic()
    await positions.claim(world.db, TEST, [chat], 1.0)  # and nobody comes back to it
    workers = await instance(work, work_sweep_seconds=sweep_seconds)
    if sweep_seconds > 1:
        workers.committed(chat)
    await until(done(work, chat, [1]))
    assert time.monotonic() - begun > 0.9
    await settled(position, chat, 1)


@pytest.mark.gen_test
async def test_a_chat_that_fails_is_tried_again_later_and_the_others_go_on(world, instance, work, position, caplog):
    ada, bob = await world.users(2)
    poisoned, *others = [await world.group(ada, bob) for _ in range(5)]
    work.failing[poisoned] = ValueError("the text of a message")
    failed = sample("failed_total")
    workers = await instance(work)
    for chat in (poisoned, *others):
        await world.send(ada, chat)
        workers.committed(chat)
    for chat in others:
        await until(done(work, chat, [1, 2]))
        await settled(position, chat, 2)

    async def has_failed_twice():
        row = await position(poisoned)
        return row.failures == 2 and row.position == 0

    await until(has_failed_twice)
    assert sample("failed_total") >= failed + 2
    assert sample("due_chats") == 1 and sample("lag_seconds") > 1
    lines = [record.getMessage() for record in caplog.records if poisoned in record.getMessage()]
    assert len(lines) == 2 and "ValueError" in lines[0] and "the text of" not in caplog.text

    del work.failing[poisoned]
    await until(done(work, poisoned, [1, 2]))
    await settled(position, poisoned, 2)
    await until(lambda: seen("due_chats", 0))
    assert sample("lag_seconds") < 0.5


@pytest.mark.gen_test
async def test_work_that_hangs_is_given_up_and_the_others_go_on(world, instance, work, position):
    ada, bob = await world.users(2)
    hanging, *others = [await world.group(ada, bob) for _ in range(3)]

    async def sometimes(db, positions, limit):
        if hanging in positions:
            await asyncio.Event().wait()
        return await work(db, positions, limit)

    await instance(sometimes, work_lease_seconds=0.8)
    for chat in others:
        await until(done(work, chat, [1]))

    async def has_failed():
        return getattr(await position(hanging), "failures", 0) > 0

    await until(has_failed)


@pytest.mark.gen_test
async def test_work_that_does_not_get_on_has_failed(world, instance, work, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)

    async def idle(db, positions, limit):
        return positions

    await instance(idle)

    async def has_failed():
        return getattr(await position(chat), "failures", 0) == 1

    await until(has_failed)


@pytest.mark.gen_test
async def test_one_that_is_far_behind_catches_up_in_pages_and_what_is_new_does_not_wait(
    world, instance, work, monkeypatch
):
    monkeypatch.setattr(worker, "SCAN_PAGE", 2)
    ada, bob = await world.users(2)
    behind, other = await world.group(ada, bob), await world.group(ada, bob)
    for _ in range(29):
        await world.send(ada, behind)
    work.gate.clear()
    workers = await instance(work, work_events=5)

    async def has_begun():
        return work.calls

    await until(has_begun)
    await world.send(ada, other)
    workers.committed(other)
    work.gate.set()
    await until(done(work, behind, range(1, 31)))
    await until(done(work, other, [1, 2]))
    pages = [call[behind] for call in work.calls if behind in call]
    assert pages == sorted(set(pages)) and len(pages) >= 6
    assert [other in call for call in work.calls].index(True) < 4


@pytest.mark.gen_test
async def test_consumers_take_turns_so_that_sending_finds_a_connection(world, instance, work):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    workers = await instance(work, work, work, workers_at_once=2)
    for _ in range(5):
        await world.send(ada, chat)
        workers.committed(chat)
        await asyncio.sleep(0.02)

    async def all_done():
        return sorted(work.done.get(chat, [])) == sorted([*range(1, 7)] * 3)

    await until(all_done)
    assert work.most_at_once <= 2


@pytest.mark.gen_test
async def test_a_chat_that_nobody_asked_for_is_nobodys_work(world, instance, work, position):
    ada, bob = await world.users(2)
    asked_for, other = await world.group(ada, bob), await world.group(ada, bob)
    await world.db.rows(
        "insert into consumer_positions (chat_id, consumer, position) values (%s, 'test', 1) returning 1", asked_for
    )
    workers = await instance(work, everywhere=False)
    for chat in (other, asked_for):
        await world.send(ada, chat)
        workers.committed(chat)
    await until(done(work, asked_for, [2]))
    assert other not in work.done and await position(other) is None


@pytest.mark.gen_test
async def test_the_rows_of_a_consumer_of_another_release_are_left_alone(world, instance, work, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    await world.db.rows(
        "insert into consumer_positions (chat_id, consumer, due_at, failures) values (%s, 'later', now(), 3) returning 1",
        chat,
    )
    before = await position(chat, "later")
    workers = await instance(work)
    workers.committed(chat)
    await until(done(work, chat, [1]))
    assert await position(chat, "later") == before


@pytest.mark.gen_test
async def test_who_stops_does_what_was_committed_there(world, instance, work, position):
    ada, bob = await world.users(2)
    workers = await instance(work, work_delay_seconds=600.0, work_sweep_seconds=600.0)
    chat = await world.group(ada, bob)
    workers.committed(chat)
    await workers.stop(5)
    assert work.done[chat] == [1]
    await settled(position, chat, 1)


@pytest.mark.gen_test
async def test_who_stops_does_also_what_is_committed_while_it_is_busy(world, instance, work, position):
    ada, bob = await world.users(2)
    metrics.consumer_due.labels("test").set(-1)
    workers = await instance(work, work_sweep_seconds=600.0)
    await until(swept)
    first, second = await world.group(ada, bob), await world.group(ada, bob)
    work.gate.clear()
    workers.committed(first)

    async def has_begun():
        return any(first in call for call in work.calls)

    await until(has_begun)
    workers.committed(second)
    stopping = asyncio.ensure_future(workers.stop(5))
    await asyncio.sleep(0)
    work.gate.set()
    await stopping
    assert (work.done[first], work.done[second]) == ([1], [1])


@pytest.mark.gen_test
async def test_who_stops_in_the_middle_leaves_it_to_the_others_at_once(world, instance, work, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    work.gate.clear()
    workers = await instance(work, work_lease_seconds=600.0)

    async def has_begun():
        return work.calls

    await until(has_begun)
    await workers.stop(0.05)
    row = await position(chat)
    assert row.leased_until is None and row.due_at is not None and row.failures == 0
    work.gate.set()
    await instance(work)
    await until(done(work, chat, [1]))


@pytest.mark.gen_test
async def test_while_the_database_is_away_it_waits_without_a_storm_of_lines(
    world, instance, work, position, postgres, caplog
):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    workers = await instance(work)
    await until(done(work, chat, [1]))
    await world.send(ada, chat)
    postgres.kill()
    try:
        workers.committed(chat)
        await asyncio.sleep(1.5)
    finally:
        await asyncio.to_thread(postgres.start)
    lines = [record for record in caplog.records if record.name == "parley.workers"]
    assert len(lines) == 1 and lines[0].levelno == logging.WARNING and not lines[0].exc_info
    await until(done(work, chat, [1, 2]), 15)
    await settled(position, chat, 2)


@pytest.mark.gen_test
async def test_the_lag_is_the_age_of_what_waits_longest(world, work):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    waiting = Worker(world.db, TEST, Limits(), asyncio.Semaphore(1))
    assert sample("lag_seconds") == 0
    waiting.note(chat)
    begun = time.monotonic()
    await asyncio.sleep(0.05)
    assert 0.04 < sample("lag_seconds") <= time.monotonic() - begun + 0.01
