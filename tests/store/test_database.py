"""PostgreSQL's failures become `Unavailable` and pass."""

import asyncio
import socket
import time
from contextlib import closing
from datetime import datetime, timezone
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors
import pytest

from chat import chats, event_log, head_check, memberships, messages, reads, unread
from errors import Unavailable
from store.database import PLANNING, Database
from store.migrations import current, migrate
from tests.chat.conftest import World, key, refused, until


@pytest.fixture
def admin(database):
    """A plain connection beside the pools, for holding locks and ending other connections."""
    with closing(psycopg2.connect(database)) as connection:
        connection.autocommit = True
        yield connection


def ask(connection, sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def end_connections(connection, name):
    """End every connection of the `Database` of this name; the number of them."""
    return len(
        ask(
            connection, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = %s", name
        )
    )


async def running(connection, name, count=1):
    """Wait until so many statements of the `Database` of this name are running."""

    async def are_running():
        return (
            len(ask(connection, "select from pg_stat_activity where application_name = %s and state = 'active'", name))
            == count
        )

    await until(are_running)


async def fails(call):
    """The call raises `Unavailable` long before it would have been done; a retry is asked for."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        await call
    assert time.monotonic() - started < 3
    assert raised.value.retry_after and raised.value.temporary and raised.value.code == "unavailable"
    return raised.value


# Rows


@pytest.mark.gen_test
async def test_rows_are_named_and_of_our_types(db):
    row = await db.row(
        """select 1 as one, '5f0c3a0e-0000-4000-8000-000000000001'::uuid as id, array['5f0c3a0e-0000-4000-8000-000000000001'::uuid] as ids,
                  '[["a", 1]]'::jsonb as json, timestamptz '2026-11-23 10:12:00.123+02' as at"""
    )
    assert (row.one, row.id, row.ids, row.json) == (1, row.ids[0], ["5f0c3a0e-0000-4000-8000-000000000001"], [["a", 1]])
    assert row.at.isoformat() == "2026-11-23T08:12:00.123000+00:00"
    assert await db.row("select 1 where false") is None and await db.rows("select 1 where false") == []


@pytest.mark.gen_test
async def test_a_mistake_of_ours_is_not_hidden_and_does_no_harm(opened):
    db = await opened(size=1)
    for sql, parameters, error in (
        ("selekt 1", (), psycopg2.errors.SyntaxError),
        ("select %s::uuid", ("x",), psycopg2.errors.DataError),
        ("select %s", ("\0",), ValueError),
        ("select 1/0", (), psycopg2.errors.DivisionByZero),
    ):
        with pytest.raises(error):
            await db.rows(sql, *parameters)
        assert (await db.row("select 1 as one")).one == 1


@pytest.mark.gen_test
async def test_it_can_be_seen_how_the_database_does(opened):
    db = await opened(size=3, seconds=0.2)
    assert (db.last_success, db.last_failure, db.last_error, db.pool_use) == (None, None, None, (0, 3))
    call = asyncio.ensure_future(db.rows("select pg_sleep(0.1)"))
    await until(lambda: _true(db.pool_use == (1, 3)))
    await call
    assert db.pool_use == (0, 3) and db.last_success > time.time() - 5 and db.last_failure is None
    await fails(db.rows("select pg_sleep(10)"))
    assert db.last_failure >= db.last_success and db.last_error


async def _true(value):
    return value


# Failures


@pytest.mark.gen_test
async def test_a_statement_that_takes_too_long_is_unavailable_and_cancels_nobody(opened):
    db = await opened(size=1, seconds=0.2)
    await fails(db.rows("select pg_sleep(10)"))
    await asyncio.sleep(0)  # raises CancelledError if this task is being cancelled
    assert (await db.row("select 1 as one")).one == 1
    outcomes = await asyncio.gather(db.rows("select pg_sleep(10)"), return_exceptions=True)
    assert isinstance(outcomes[0], Unavailable)


@pytest.mark.gen_test
async def test_a_call_whose_time_is_up_ends_its_connection(opened):
    """The server would go on with the statement, and its answer would be that of the next call."""
    db = await opened(size=1, seconds=0.2)
    first = (await db.row("select pg_backend_pid() as pid, set_config('statement_timeout', '0', false)")).pid
    await fails(db.rows("select pg_sleep(2), 'late' as word"))
    assert db.last_error == "TimeoutError" and db.pool_use == (0, 1)
    row = await db.row("select pg_backend_pid() as pid, 'mine' as word")
    assert row.word == "mine" and row.pid != first


@pytest.mark.gen_test
async def test_a_connection_is_kept_and_lent_to_one_call_at_a_time(opened, admin):
    db = await opened(size=2, name="kept")
    pids = {(await db.row("select pg_backend_pid() as pid")).pid for _ in range(5)}
    assert len(pids) == 1, "what is free is used before another is opened"
    rows = await asyncio.gather(*(db.row("select pg_backend_pid() as pid, pg_sleep(0.05)") for _ in range(6)))
    assert {row.pid for row in rows} >= pids and len({row.pid for row in rows}) == 2
    assert len(ask(admin, "select from pg_stat_activity where application_name = 'kept'")) == 2
    await db.close()

    async def gone():
        return not ask(admin, "select from pg_stat_activity where application_name = 'kept'")

    await until(gone)


WITHOUT_SCANS = ("messages", "chat_events", "chats", "participants", "reads", "users", "sessions")


@pytest.mark.gen_test
async def test_no_plan_reads_a_whole_table_even_if_it_was_made_while_the_table_was_small(opened, admin):
    """A kept plan goes on reading all of a table that has grown since, once for each participant whose unread messages are counted."""
    world = World(await opened(size=1))
    ann, ben, cy = await world.users(3)
    several = [await world.group(ann, ben, cy) for _ in range(4)]
    ask(
        admin,
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )
    with admin.cursor() as cursor:
        cursor.execute("analyze")
    world.db = await opened(size=1)
    before = await scans(world.db)
    for _ in range(7):  # from the sixth call on, a plan is kept
        first, *_ = await asyncio.gather(*(world.send(ann, chat_id) for chat_id in several))
        await world.read(ben, first)
        await world.send(ben, several[0])
        await world.edit(ann, first)
        await world.delete(ann, first)
        heads = {chat_id: 1 for chat_id in several}
        await event_log.replay(world.db, heads, [ann, ben], 100)
        await memberships.membership(world.db, ann)
        await head_check.changes(world.db, heads, {ann: 1}, [key()])
        await unread.counts(world.db, several[0], [ben, cy])
        await unread.of_user(world.db, cy)
        await chats.page(world.db, ann)
        await messages.page(world.db, ann, several[0], limit=10)
        await reads.since(world.db, several, datetime.now(timezone.utc))
    assert await scans(world.db) == before


@pytest.mark.gen_test
async def test_reading_a_message_of_a_large_chat_looks_at_few_of_its_participants(world, database):
    ada, *others = await world.users(300)
    chat = await world.db.row(
        "select id from create_chat(%s, gen_random_uuid(), 0, 'group', 'Large', null, %s::uuid[], 1000)", ada, others
    )
    message = await world.send(ada, chat.id)
    with closing(psycopg2.connect(database, options=PLANNING)) as connection:
        fetched = "select idx_tup_fetch from pg_stat_xact_user_tables where relname = 'participants'"
        before = ask(connection, fetched)[0][0]
        assert ask(connection, "select moved from mark_read(%s, %s)", others[0], message) == [(True,)]
        assert ask(connection, fetched)[0][0] - before < 20


async def scans(db) -> dict:
    """How often each table was read from end to end, as the only connection of `db` knows."""
    await db.rows("select pg_stat_force_next_flush()")
    rows = await db.rows(
        "select relname, seq_scan from pg_stat_user_tables where relname = any(%s)", list(WITHOUT_SCANS)
    )
    return {row.relname: row.seq_scan for row in rows}


@pytest.mark.gen_test
async def test_a_connection_that_opens_while_the_pool_closes_is_ended(opened, admin):
    db = await opened(name="opening")
    call = asyncio.ensure_future(db.rows("select 1"))
    await asyncio.sleep(0)
    await db.close()
    await fails(call)

    async def gone():
        return not ask(admin, "select from pg_stat_activity where application_name = 'opening'")

    await until(gone)


@pytest.mark.gen_test
async def test_a_lock_not_had_in_time_is_unavailable(db, world, opened, admin):
    ada = await world.user()
    chat_id = await world.group(ada)
    impatient, op = await opened(size=1, lock_seconds=0.2), key()
    admin.autocommit = False
    ask(admin, "select from chats where id = %s for update", chat_id)
    await fails(messages.send(impatient, ada, op, chat_id, "Hello", 50))
    admin.rollback()
    outcome = await messages.send(impatient, ada, op, chat_id, "Hello", 50)
    assert not outcome.repeated and await world.head(chat_id) == 2


@pytest.mark.gen_test
async def test_connections_that_died_idle_are_replaced_unnoticed(opened, admin):
    db = await opened(size=4, name="idle")
    for _ in range(3):
        ask(admin, "select pg_advisory_lock(7)")
        calls = [asyncio.ensure_future(db.rows("select pg_advisory_xact_lock_shared(7)")) for _ in range(4)]
        await running(admin, "idle", 4)
        ask(admin, "select pg_advisory_unlock(7)")
        await asyncio.gather(*calls)
        assert end_connections(admin, "idle") == 4
        assert [row.one for row in await asyncio.gather(*(db.row("select 1 as one") for _ in range(8)))] == [1] * 8
    assert db.last_failure is None


@pytest.mark.gen_test
async def test_a_call_whose_connection_breaks_is_made_once_more(opened, admin):
    db = await opened(name="breaks")
    call = asyncio.ensure_future(db.row("select pg_sleep(0.3), 1 as one"))
    await running(admin, "breaks")
    assert end_connections(admin, "breaks") == 1
    assert (await call).one == 1


@pytest.mark.gen_test
async def test_a_mutation_whose_connection_breaks_happens_once(db, world, opened, admin, database):
    ada = await world.user()
    chat_id = await world.group(ada)
    breaking = await opened(name="mutation")
    with closing(psycopg2.connect(database)) as holder:
        ask(holder, "select from chats where id = %s for update", chat_id)
        sending = asyncio.ensure_future(messages.send(breaking, ada, key(), chat_id, "Hello", 50))
        await running(admin, "mutation")
        end_connections(admin, "mutation")
        await running(admin, "mutation")  # the second try
        holder.rollback()
    assert (await sending).seq == 2 and await world.head(chat_id) == 2


@pytest.mark.gen_test
async def test_a_change_that_may_have_happened_is_not_denied_to_somebody_who_left_since(db, world, opened, monkeypatch):
    ada, bob = await world.users(2)
    chat_id, op = await world.group(ada, bob), key()
    losing = await opened(name="losing")
    execute = losing._execute

    async def lose_the_answer(*statement):
        monkeypatch.setattr(losing, "_execute", execute)
        await execute(*statement)
        await chats.remove(db, bob, key(), chat_id, bob)
        raise psycopg2.OperationalError("the connection is lost")

    monkeypatch.setattr(losing, "_execute", lose_the_answer)
    await fails(chats.update(losing, bob, op, chat_id, {"name": "New"}))
    assert (await chats.get(db, ada, chat_id))["name"] == "New"
    with refused("not_found"):
        await chats.update(losing, bob, op, chat_id, {"name": "New"})


@pytest.mark.gen_test
async def test_a_call_whose_connection_breaks_again_is_unavailable(opened, admin):
    db = await opened(name="again")
    call = asyncio.ensure_future(db.rows("select pg_sleep(3)"))
    for _ in range(2):
        await running(admin, "again")
        end_connections(admin, "again")
    await fails(call)
    assert (await db.row("select 1 as one")).one == 1


@pytest.mark.gen_test
async def test_a_cancelled_task_is_cancelled_and_leaves_a_pool_that_works(opened, admin):
    db = await opened(size=1, name="cancelled")
    for _ in range(3):
        task = asyncio.ensure_future(db.rows("select pg_sleep(5)"))
        await running(admin, "cancelled")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await db.row("select 1 as one")).one == 1 and db.pool_use == (0, 1)
        assert db.last_failure is None  # the database is not to blame
        end_connections(admin, "cancelled")  # what was cancelled goes on running in the server


@pytest.mark.gen_test
async def test_a_task_cancelled_while_it_waits_for_a_connection_takes_none_with_it(opened, admin):
    db = await opened(size=1, name="waiting")
    first = asyncio.ensure_future(db.rows("select pg_sleep(0.3)"))
    await running(admin, "waiting")
    waiting = [asyncio.ensure_future(db.rows("select 1")) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await first
    assert (await db.row("select 1 as one")).one == 1 and db.pool_use == (0, 1)


@pytest.mark.gen_test
async def test_when_every_connection_is_busy_for_too_long_the_rest_are_unavailable(opened):
    db = await opened(size=1, seconds=0.3)
    started = time.monotonic()
    outcomes = await asyncio.gather(*(db.rows("select pg_sleep(0.25)") for _ in range(9)), return_exceptions=True)
    assert time.monotonic() - started < 3  # the statement's 0.3 s and one more
    assert {type(outcome) for outcome in outcomes} == {list, Unavailable}
    assert (await db.row("select 1 as one")).one == 1


@pytest.mark.gen_test
async def test_a_server_that_is_not_there_is_unavailable_at_once(opened):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused
        db = await opened(f"postgresql://parley:x@127.0.0.1:{nobody.getsockname()[1]}/parley")
        await fails(db.rows("select 1"))
        assert db.pool_use[0] == 0 and db.last_failure


@pytest.mark.gen_test
async def test_a_server_that_says_nothing_is_unavailable_within_the_deadline(opened):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        db = await opened(f"postgresql://parley:x@127.0.0.1:{silent.getsockname()[1]}/parley", seconds=0.1, size=2)
        await asyncio.gather(*(fails(db.rows("select 1")) for _ in range(4)))
        task = asyncio.ensure_future(db.rows("select 1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.gen_test(timeout=60)
async def test_those_who_wait_for_a_frozen_server_wait_no_longer_than_their_deadline(opened, database, postgres):
    patient = await opened(url=database, size=2, seconds=1)
    await asyncio.gather(*(patient.row("select pg_sleep(0.1)") for _ in range(2)))
    postgres.freeze()

    async def seconds():
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await patient.row("select 1")
        return time.monotonic() - started

    try:
        calls = []
        for _ in range(60):
            calls.append(asyncio.ensure_future(seconds()))
            await asyncio.sleep(0.05)
        took = await asyncio.gather(*calls)
    finally:
        postgres.thaw()
    assert max(took) < 2.4, "the deadline is a second more than the statement's"
    await asyncio.gather(*(patient.row("select 1") for _ in range(20)))
    assert patient.pool_use == (0, 2)


@pytest.mark.gen_test
async def test_a_wrong_password_is_unavailable_not_a_crash(opened, database):
    at = urlsplit(database)
    db = await opened(f"postgresql://{at.username}:wrong@{at.hostname}:{at.port}{at.path}")
    await fails(db.rows("select 1"))


@pytest.mark.gen_test
async def test_closing_ends_running_and_later_calls_as_unavailable(opened, admin):
    db = await opened(size=1, seconds=0.2, name="closing")
    calls = [asyncio.ensure_future(db.rows("select pg_sleep(5)")) for _ in range(2)]  # one runs, one waits
    await running(admin, "closing")
    await db.close()
    for call in calls:
        await fails(call)
    await fails(db.rows("select 1"))
    await db.close()


@pytest.mark.gen_test
async def test_the_spelling_of_some_platforms_is_understood(opened, database):
    url = database.replace("postgresql://", "postgres://", 1)
    assert url != database
    db = await opened(url)
    assert (await db.row("select 1 as one")).one == 1
    assert migrate(url) == current().version


def test_a_database_opens_no_connection_before_it_is_asked(database, io_loop):
    db = Database("postgresql://nobody@127.0.0.1:1/nothing")
    io_loop.run_sync(db.open)
    io_loop.run_sync(db.close)
