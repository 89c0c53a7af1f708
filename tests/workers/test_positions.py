"""Positions and leases: the rules that `schema.sql` has for them."""

import asyncio
from contextlib import closing

import psycopg2
import pytest

from store.database import new_epoch
from tests.chat.conftest import key
from workers import positions
from workers.consumers import Consumer

EVERY_CHAT = Consumer("every", None, everywhere=True)
SOME_CHATS = Consumer("some", None)


async def missed(db, consumer=EVERY_CHAT, *, grace=0.0, page=1000) -> set:
    """The chats that are due after all that there is to look at was looked at."""
    while await positions.find_missed(db, consumer, every=0.0, grace=grace, page=page):
        pass
    return set(await positions.due(db, consumer, 1000))


async def do_all(db, consumer=EVERY_CHAT):
    """The consumer's work in every chat."""
    heads = {row.id: row.head_seq for row in await db.rows("select id, head_seq from chats")}
    claim = await positions.claim(db, consumer, heads, 5)
    await positions.settle(db, consumer, {chat_id: heads[chat_id] for chat_id in claim.positions}, claim.lease)


@pytest.mark.gen_test
async def test_one_at_a_time_has_a_chat_and_who_comes_second_is_told_that_it_is_taken(world, position):
    ada, bob = await world.users(2)
    chat, other = await world.group(ada, bob), await world.group(ada, bob)
    first = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    second = await positions.claim(world.db, EVERY_CHAT, [chat, other], 5)
    assert (first.positions, first.taken) == ({chat: 0}, [])
    assert (second.positions, second.taken) == ({other: 0}, [chat])
    assert await positions.settle(world.db, EVERY_CHAT, {chat: 1}, first.lease) == []
    again = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    assert (again.lease, again.positions, again.taken) == (None, {}, [])
    assert (await position(chat, "every")).position == 1


@pytest.mark.gen_test
async def test_many_who_come_at_once_share_the_chats_and_none_has_one_twice(world, opened):
    ada, bob = await world.users(2)
    chats = [await world.group(ada, bob) for _ in range(20)]
    databases = [await opened() for _ in range(4)]
    claims = await asyncio.gather(*(positions.claim(db, EVERY_CHAT, chats, 5) for db in databases))
    leased = [chat for claim in claims for chat in claim.positions]
    assert sorted(leased) == sorted(chats)


@pytest.mark.gen_test
async def test_who_has_lost_a_lease_changes_nothing_any_more(world, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    frozen = await positions.claim(world.db, EVERY_CHAT, [chat], 0)
    living = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    assert living.positions == {chat: 0} and frozen.lease < living.lease
    await positions.settle(world.db, EVERY_CHAT, {chat: 1}, frozen.lease)
    await positions.fail(world.db, EVERY_CHAT, [chat], frozen.lease, 60)
    row = await position(chat, "every")
    assert (row.position, row.leased_until, row.failures, row.due_at) == (0, living.lease, 0, None)


@pytest.mark.gen_test
async def test_a_chat_with_more_than_was_done_is_owed_more(world):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    claim = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    await world.send(ada, chat)
    assert await positions.settle(world.db, EVERY_CHAT, {chat: 1}, claim.lease) == [chat]


@pytest.mark.gen_test
async def test_a_failure_makes_it_due_after_pauses_that_double_up_to_the_longest_one(world, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    pauses = []
    for _ in range(5):
        claim = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
        await positions.fail(world.db, EVERY_CHAT, [chat], claim.lease, 7)
        row = await world.db.row(
            "select extract(epoch from due_at - now())::float as pause, failures from consumer_positions where chat_id = %s",
            chat,
        )
        pauses.append(row.pause)
        refused = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
        assert (refused.positions, refused.taken) == (
            {},
            [],
        )  # not even for who asks for it, and not to be asked for again
        await world.db.rows("update consumer_positions set due_at = now() where chat_id = %s returning 1", chat)
    assert pauses == pytest.approx([1, 2, 4, 7, 7], abs=0.5)
    claim = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    await positions.settle(world.db, EVERY_CHAT, {chat: 1}, claim.lease)
    row = await position(chat, "every")
    assert (row.position, row.failures, row.due_at, row.owed_since) == (1, 0, None, None)


@pytest.mark.gen_test
async def test_what_is_given_up_is_anybodys_at_once(world):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    claim = await positions.claim(world.db, EVERY_CHAT, [chat], 60)
    await positions.give_up(world.db, EVERY_CHAT, [chat], claim.lease)
    assert await positions.due(world.db, EVERY_CHAT, 100000) == [chat]
    assert (await positions.claim(world.db, EVERY_CHAT, [chat], 5)).positions == {chat: 0}


@pytest.mark.gen_test
async def test_only_what_was_missed_becomes_due(world):
    ada, bob = await world.users(2)
    done, owed, quiet = [await world.group(ada, bob) for _ in range(3)]
    await missed(world.db)
    await do_all(world.db)
    for chat in (done, owed):
        await world.send(ada, chat)
    claim = await positions.claim(world.db, EVERY_CHAT, [done], 5)
    await positions.settle(world.db, EVERY_CHAT, {done: 2}, claim.lease)
    assert await missed(world.db, grace=60) == set()  # not yet: whoever committed it may be about to
    assert await missed(world.db) == {owed}
    await do_all(world.db)
    assert await missed(world.db) == set()


@pytest.mark.gen_test
async def test_what_was_found_due_and_done_meanwhile_is_due_no_more(world, position):
    ada, bob = await world.users(2)
    await missed(world.db)
    chat = await world.group(ada, bob)
    claim = await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    assert chat in await missed(world.db)  # leased, but for too long
    assert (await positions.claim(world.db, EVERY_CHAT, [chat], 5)).taken == [chat]
    await positions.settle(world.db, EVERY_CHAT, {chat: 1}, claim.lease)
    assert (await position(chat, "every")).due_at is not None  # the lease was older than that
    assert (await positions.claim(world.db, EVERY_CHAT, [chat], 5)).positions == {}
    assert (await position(chat, "every")).due_at is None


@pytest.mark.gen_test
async def test_a_transaction_that_takes_long_is_not_passed_over(world, database):
    ada, bob = await world.users(2)
    chat, other = await world.group(ada, bob), await world.group(ada, bob)
    await missed(world.db)
    await do_all(world.db)
    with closing(psycopg2.connect(database)) as slow, slow.cursor() as cursor:
        cursor.execute("select create_message(%s, %s, 1, %s, 'slow', 50)", (ada, key(), chat))
        await world.send(ada, other)
        assert await missed(world.db) == set()  # neither: where it is hidden, time stands still
        slow.commit()
    assert await missed(world.db) == {chat, other}


@pytest.mark.gen_test
async def test_where_times_cannot_tell_every_chat_is_looked_at_in_pages(world):
    ada, bob = await world.users(2)
    chats = {await world.group(ada, bob) for _ in range(7)}
    assert chats <= await missed(world.db, page=3)  # nobody has looked before
    await do_all(world.db)
    for swept_to in ("now() + interval '1 hour'", "now() - interval '25 hours'"):
        await missed(world.db)
        chat = await world.group(ada, bob)
        await world.db.rows("update chat_events set at = at - interval '3 days' where chat_id = %s returning 1", chat)
        assert await missed(world.db) == set()
        await world.db.rows(f"update consumers set swept_to = {swept_to} where name = 'every' returning 1")
        assert await missed(world.db, page=3) == {chat}
        await do_all(world.db)


@pytest.mark.gen_test
async def test_a_consumer_of_some_chats_is_owed_nothing_in_the_others(world, position):
    ada, bob = await world.users(2)
    asked_for, other = await world.group(ada, bob), await world.group(ada, bob)
    await missed(world.db, SOME_CHATS)
    await world.db.rows(
        "insert into consumer_positions (chat_id, consumer, position) select id, 'some', head_seq from chats where id = %s returning 1",
        asked_for,
    )
    for chat in (asked_for, other):
        await world.send(ada, chat)
    claim = await positions.claim(world.db, SOME_CHATS, [asked_for, other], 0)
    assert (claim.positions, claim.taken) == ({asked_for: 1}, [])
    assert await missed(world.db, SOME_CHATS) == {asked_for}
    assert await position(other, "some") is None


@pytest.mark.gen_test
async def test_after_a_backup_was_restored_what_comes_next_is_owed(world, database, position):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    await missed(world.db)
    await do_all(world.db)
    await world.db.rows("update consumer_positions set position = 9 where chat_id = %s returning 1", chat)
    new_epoch(database)
    assert (await position(chat, "every")).position == 1
    await world.send(ada, chat)
    assert chat in await missed(world.db)
    # Nobody said that it was restored: from the first look on, at least.
    await do_all(world.db)
    await world.db.rows("update consumer_positions set position = 9 where chat_id = %s returning 1", chat)
    await positions.claim(world.db, EVERY_CHAT, [chat], 5)
    assert (await position(chat, "every")).position == 2


@pytest.mark.gen_test
async def test_a_send_neither_reads_nor_writes_what_belongs_to_consumers(world, opened, database):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    sender = await opened(size=1)
    await sender.rows("select pg_stat_reset()")

    async def touched():
        await sender.rows("select pg_stat_force_next_flush()")
        await sender.rows("select 1")
        return await sender.row(
            """select sum(seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del) filter (where relname like 'consumer%%') as ours,
                      sum(n_tup_ins) filter (where relname = 'messages') as sent from pg_stat_user_tables"""
        )

    for _ in range(3):
        await sender.rows("select create_message(%s, %s, 1, %s, 'hello', 50)", ada, key(), chat)
    seen = await touched()
    assert (seen.ours, seen.sent) == (0, 3)


@pytest.mark.gen_test
async def test_looking_for_what_was_missed_reads_the_log_by_time(world):
    """The statement of `find_missed`, with the plan that is kept for all values."""
    await world.db.rows("select 1")
    plan = await world.db.rows(
        "explain select chat_id, max(seq), min(at) from chat_events where at >= %s and at < %s group by chat_id",
        "2026-01-01",
        "2026-01-02",
    )
    assert any("chat_events_at" in row[0] for row in plan), plan


@pytest.mark.gen_test
async def test_what_concerns_a_few_chats_reads_their_rows_and_no_others(world, opened):
    """Also with tables that have grown since they were looked at: a plan that goes by the consumer alone reads every chat."""
    ada, bob = await world.users(2)
    chats = sorted([await world.group(ada, bob) for _ in range(10)])
    await world.db.rows(
        """with made as (
               insert into chats (id, chat_type, last_at, active_at, created_at, updated_at)
               select gen_random_uuid(), 'group', now(), now(), now(), now() from generate_series(1, 20000) returning id
           ), positions as (insert into consumer_positions (chat_id, consumer, position) select id, 'every', 0 from made)
           select count(*) from made"""
    )
    await missed(world.db, page=100000)
    db = await opened(size=1)

    async def read():
        await db.rows("select pg_stat_force_next_flush()")
        row = await db.row(
            """select (select sum(idx_tup_read) from pg_stat_user_indexes where relname in ('chats', 'consumer_positions', 'consumers'))
                    + (select sum(seq_tup_read) from pg_stat_user_tables where relname in ('chats', 'consumer_positions')) as n"""
        )
        return row.n

    async def work():
        for chat in chats:
            await world.send(ada, chat)
        claim = await positions.claim(db, EVERY_CHAT, chats, 5)
        assert len(claim.positions) == 10
        await positions.settle(db, EVERY_CHAT, dict.fromkeys(chats[:5], 2), claim.lease)
        await positions.give_up(db, EVERY_CHAT, chats[5:], claim.lease)
        await positions.claim(db, EVERY_CHAT, chats, 5)
        await positions.find_missed(db, EVERY_CHAT, every=0.0, grace=0.0, page=10)
        await positions.due(db, EVERY_CHAT, 10)
        await positions.backlog(db, EVERY_CHAT)

    before = await read()
    await work()
    assert await read() - before < 1000
