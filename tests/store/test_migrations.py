"""Every schema that was ever on main comes to what a fresh database has, with its data, while instances write; and what fails leaves nothing."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest

from store import migrations
from store.database import new_epoch
from store.migrations import Migration, MigrationFailed, Schema, UnknownSchema, current, migrate
from tests.chat.conftest import World
from tests.releases import RELEASE_BEFORE, build_of
from tests.store.conftest import catalog, data, run, tables

# Each kept as it was, and called <its version>_<the commit that made it>.sql.
OLD = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
VERSION = current().version
SCHEMA_BEFORE = next(path for path in OLD if path.stem == "0003_ea05213")


def with_more(*texts, functions="", schema=None) -> Schema:
    """This release's schema with further migrations, and further functions."""
    schema = schema or current()
    more = [
        Migration(schema.version + number, f"{schema.version + number:04}_more", text)
        for number, text in enumerate(texts, 1)
    ]
    return replace(schema, migrations=(*schema.migrations, *more), functions=schema.functions + functions)


def soon(url, schema, tries=2, **rest):
    """`migrate`, without the patience that an operator has."""
    return migrate(url, schema, tries=tries, pause=0.01, **rest)


def make_old(url, path):
    """The schema of this file, as the `migrate` of its time left it."""
    version = int(path.stem[:4])
    run(url, path.read_text())
    if "schema_migrations" in tables(url):
        for migration in current().migrations:
            if migration.number <= version:
                run(
                    url,
                    "insert into schema_migrations (number, name) values (%s, %s)",
                    migration.number,
                    migration.name,
                )
    run(url, "update parley set schema_version = %s, compatible_from = 1", version)


def fill(url):
    """People and chats with some of everything, made by the functions that the schema has."""
    has = {name for (name,) in run(url, "select proname from pg_proc where pronamespace = 'public'::regnamespace")}

    def ask(call, *parameters):
        marks = ", ".join(["%s"] * len(parameters))
        return run(url, f"select to_jsonb(answer) from {call}({marks}) answer", *parameters)[0][0]

    def key():
        return str(uuid.uuid4())

    ann, ben, eve = (
        ask("create_user", name, name.title(), "hash", b"key of " + name.encode())["id"]
        for name in ("ann", "ben", "eve")
    )
    run(url, "update users set created_at = created_at - interval '1 day' where id = %s", ben)  # the oldest account
    session = run(url, "select to_jsonb(s) from create_session(%s, 'token', 30, 'curl') s", ann)[0][0]["id"]
    run(url, "select create_session(%s, 'other', 30, 'curl')", ben)
    run(url, "update sessions set revoked_at = now() where id = %s", session)
    run(url, "select take_sign_in_attempt(array['a'], array[3], 60)")
    group = run(
        url, "select id from create_chat(%s, %s, 1, 'group', 'A', 'B', array[%s, %s]::uuid[], 9)", ann, key(), ben, eve
    )[0][0]
    direct = run(
        url, "select id from create_chat(%s, %s, 1, 'direct', null, null, array[%s]::uuid[], 9)", ann, key(), ben
    )[0][0]
    gone = run(url, "select id from create_chat(%s, %s, 1, 'group', 'C', null, array[%s]::uuid[], 9)", ann, key(), ben)[
        0
    ][0]
    sent = [ask("send_message", actor, key(), 1, chat, text, 50)["id"]
            for actor, chat, text in ((ann, group, "one"), (ben, group, "two"), (ann, direct, "three"), (ann, group, "four"), (ann, gone, "five"))]  # fmt: skip
    ask("edit_message", ann, key(), 1, sent[0], "one, edited")
    ask("delete_message", ann, key(), 1, sent[3], 50)
    ask("mark_read", ben, sent[2])
    ask("mark_read", eve, sent[1])
    ask("remove_participant", eve, key(), 1, group, eve)
    ask("update_chat", ann, key(), 1, group, True, "A2", False, None)
    ask("delete_chat", ann, key(), 1, gone)
    if "set_muted" in has:
        run(url, "select set_muted(%s, %s, true)", ben, group)
    if "create_invitation" in has:
        ask("create_invitation", ann, key(), "invitation", 3, 5)
    if "send_messages" in has:
        run(url, "select * from send_messages(array[%s]::uuid[], array[%s]::uuid[], array[1], array[%s]::uuid[], array['six'], 50)", ann, key(), direct)  # fmt: skip
    return ben


@pytest.fixture(scope="module")
def fresh(empty):
    url = empty()
    assert migrate(url) == VERSION
    return url


# Older databases


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_every_schema_that_was_ever_on_main_comes_to_what_a_fresh_database_has(empty, fresh, path):
    url = empty()
    make_old(url, path)
    oldest = fill(url)
    before = data(url)
    assert migrate(url) == VERSION
    assert catalog(url) == catalog(fresh)

    after = data(url)
    for name, rows in before.items():
        if name not in ("parley", "schema_migrations"):  # see below
            known = [{key: row[key] for key in rows[0]} for row in after[name]] if rows else after[name]
            assert sorted(map(str, known)) == sorted(map(str, rows)), name
    state, was = after["parley"][0], before["parley"][0]
    assert (state["epoch"], state["token_key"]) == (was["epoch"], was["token_key"])
    expected = data(fresh)["parley"][0]
    for row in (state, expected):
        del row["epoch"], row["token_key"]
    assert state == expected
    records = "select number, name from schema_migrations order by number"
    assert run(url, records) == run(fresh, records)
    if "muted" not in before["participants"][0]:
        assert not any(row["muted"] for row in after["participants"])
    if "is_owner" not in before["users"][0]:
        assert [row["id"] for row in after["users"] if row["is_owner"]] == [oldest]
    gone = {(row["chat_id"], row["seq"]) for row in after["messages"] if row["deleted_at"]}
    assert {(row["chat_id"], row["seq"]) for row in after["deletions"]} == gone != set()
    assert {
        (row["id"], row["deleted_seq"]) for row in after["chats"] if row["deleted_seq"]
    } == gone  # one in each such chat


def test_a_version_2_of_any_commit_gets_what_it_lacks_and_keeps_the_owner_that_somebody_chose(empty):
    url = empty()
    make_old(url, next(path for path in OLD if path.stem.endswith("25205e1")))
    fill(url)
    run(url, "update users set is_owner = username = 'eve'")
    migrate(url)
    assert run(url, "select username from users where is_owner") == [("eve",)]


def test_migrating_again_changes_nothing(empty):
    url = empty()
    make_old(url, OLD[0])
    fill(url)
    migrate(url)
    before = catalog(url), data(url)
    assert migrate(url) == VERSION
    assert (catalog(url), data(url)) == before


def test_a_fresh_database_has_the_first_account_own_the_server_and_no_schema_version_is_written_by_hand(fresh):
    newest = max(int(path.name[:4]) for path in (migrations.ROOT / "migrations").iterdir())
    assert run(fresh, "select schema_version, compatible_from from parley") == [(newest, 1)]
    assert run(fresh, "select max(number) from schema_migrations") == [(newest,)]


@pytest.mark.gen_test
async def test_a_message_without_text_that_is_not_deleted_has_a_place_in_the_tables(opened, empty):
    url = empty()
    make_old(url, OLD[0])
    migrate(url)
    world = World(await opened(url))
    ada = await world.user()
    chat_id = await world.group(ada)
    message_id = await world.send(ada, chat_id)
    run(url, "update messages set content = '' where id = %s", message_id)
    with pytest.raises(psycopg2.errors.CheckViolation):
        run(url, "update messages set content = 'told', deleted_at = now() where id = %s", message_id)


def test_an_operators_own_search_path_and_functions_are_left_to_them(empty):
    url = empty()
    run(url, "create schema mine; create function mine.theirs() returns integer language sql as 'select 1'")
    url += "?options=-c%20search_path%3Dmine"
    for _ in range(2):
        migrate(url)
    assert run(url, "select to_regclass('public.messages'), to_regclass('mine.messages') is not null, theirs()") == [
        (None, True, 1)
    ]


# Functions, their results and types


KEPT = """
do $$ begin
    create type pair as ({attributes});
exception when duplicate_object then null; end $$;
create or replace function a_pair({arguments}) returns pair language sql stable as $$ select row({values})::pair $$;
create or replace function some_rows(p uuid) returns table ({columns}) language sql stable as $$ select {values} $$;
"""
ONE = KEPT.format(attributes="a integer", arguments="x integer", values="1", columns="a integer")
TWO = KEPT.format(attributes="a integer, b text", arguments="y integer", values="1, 'b'", columns="a integer, b text")


def test_types_results_and_names_of_parameters_may_change_and_go_back(empty):
    url = empty()
    one, two = with_more(functions=ONE), with_more("select 1", functions=TWO)
    migrate(url, one)
    run(url, "create function theirs() returns integer language sql as 'select 1'")
    assert run(url, "select * from a_pair(x => 0), some_rows(null)") == [(1, 1)]
    migrate(url, two)
    assert run(url, "select * from a_pair(y => 0), some_rows(null)") == [(1, "b", 1, "b")]
    back = with_more("select 1", functions=ONE)
    migrate(url, back)
    assert run(url, "select * from a_pair(x => 0), some_rows(null), theirs()") == [(1, 1, 1)]
    other = empty()
    migrate(other, back)
    assert {row for row in catalog(url) if row[2] != "theirs"} == catalog(other)


def test_what_does_not_change_is_not_dropped(empty):
    """Whoever calls it in that moment would be told that there is no such function."""
    url = empty()
    numbers = "select oid from pg_proc where pronamespace = 'public'::regnamespace and proname <> all(array['a_pair', 'some_rows']) order by oid"
    migrate(url, with_more(functions=ONE))
    before = run(url, numbers)
    migrate(url, with_more(functions=TWO))
    assert run(url, numbers) == before


def test_a_function_that_the_release_before_calls_stays_until_it_is_dropped_by_name(empty):
    url = empty()
    migrate(
        url,
        with_more(
            functions="create or replace function old_one(x integer) returns integer language sql as 'select 1';"
        ),
    )
    migrate(
        url,
        with_more(
            functions="create or replace function old_one(x integer, y integer) returns integer language sql as 'select 2';"
        ),
    )
    assert run(url, "select old_one(1), old_one(1, 2)") == [(1, 2)]
    migrate(url, with_more(functions="drop function if exists old_one(integer);"))
    with pytest.raises(psycopg2.errors.UndefinedFunction):
        run(url, "select old_one(1)")


def test_a_type_that_somebody_elses_function_uses_is_not_taken_from_under_it(empty):
    url = empty()
    migrate(url, with_more(functions=ONE))
    run(url, "create function theirs() returns pair language sql as 'select row(1)::pair'")
    with pytest.raises(
        MigrationFailed, match="functions failed.*cannot drop type pair because other objects depend on it"
    ):
        soon(url, with_more(functions=TWO))
    assert run(url, "select a_pair(1)") == [("(1)",)]


def test_no_function_or_type_that_the_release_before_uses_is_dropped_under_it(empty):
    """A call of it that is under way would fail, and it makes no such call once more. What must answer otherwise gets another name or arguments."""
    url = empty()
    make_old(url, SCHEMA_BEFORE)
    used = """select oid::regprocedure::text, oid from pg_proc where pronamespace = 'public'::regnamespace and proname <> 'add_column'
              union all select typname, oid from pg_type where typnamespace = 'public'::regnamespace"""
    before = set(run(url, used))
    migrate(url)
    assert before - set(run(url, used)) == set()


# While instances write


async def while_writing(db, work):
    """Run `work` in a thread while eight writers send, read and delete in four chats; how many messages were sent meanwhile."""
    world = World(db)
    people = await world.users(4)
    made = [await world.group(*people) for _ in range(4)]
    done, failures, sent = threading.Event(), [], 0

    def in_thread():
        try:
            work()
        except Exception as error:
            failures.append(error)
        done.set()

    async def write(number):
        nonlocal sent
        person, chat_id = people[number % 4], made[number // 2]
        while not done.is_set():
            message_id = await world.send(person, chat_id)
            sent += 1
            await world.read(people[(number + 1) % 4], message_id)
            await world.delete(person, message_id)

    thread = threading.Thread(target=in_thread)
    thread.start()
    try:
        await asyncio.gather(*(write(number) for number in range(8)))
    finally:
        done.set()
        thread.join()
    assert failures == []
    return sent


# Run in the tree of the release before, with its own calls: eight writers in four chats, until stdin ends.
WRITERS = """
import asyncio, sys, threading
from chat.db import Database
from tests.chat.conftest import World

async def main():
    db = Database(sys.argv[1])
    await db.open()
    world, sent, done = World(db), 0, threading.Event()
    people = await world.users(4)
    made = [await world.group(*people) for _ in range(4)]

    async def write(number):
        nonlocal sent
        person, chat_id = people[number % 4], made[number // 2]
        while not done.is_set():
            message_id = await world.send(person, chat_id)
            await world.edit(person, message_id)
            await world.read(people[(number + 1) % 4], message_id)
            await world.delete(person, message_id)
            sent += 1
            if sent == 8:
                print("they write", flush=True)

    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    await asyncio.gather(*(write(number) for number in range(8)))
    print(sent)

asyncio.run(main())
"""


def test_the_release_before_writes_on_while_its_database_is_brought_up_to_this_one(empty, release_before):
    url = empty()
    make_old(url, SCHEMA_BEFORE)
    writers = subprocess.Popen(
        [sys.executable, "-c", WRITERS, url],
        cwd=release_before,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        begun = writers.stdout.readline()
        if begun:
            for _ in range(3):
                migrate(url)
        told, errors = writers.communicate(timeout=30)
    finally:
        writers.kill()
    assert (begun, writers.returncode) == ("they write\n", 0), errors
    rows = "select count(*), count(deleted_at) from messages union all select count(*), count(*) from deletions"
    assert run(url, rows) == [(int(told), int(told))] * 2


@pytest.mark.gen_test
async def test_nobodys_call_fails_while_the_results_of_functions_change_under_it(opened, empty):
    """The types of what the writers call, there and back: a call that is under way meets functions of both kinds, and is made once more."""
    url = empty()
    schema = current()
    wider = schema.functions.replace("    unread       json,  ", "    more         text,\n    unread       json,  ")
    wider = wider.replace(
        "p_derive, p_unread, m.deleted_at)::message_change", "p_derive, 'more', p_unread, m.deleted_at)::message_change"
    )
    wider = wider.replace(
        "had_unread, derive, counts, null::timestamptz)", "had_unread, derive, 'more'::text, counts, null::timestamptz)"
    )
    wider = wider.replace(
        "unread integer, head_seq bigint, read_seq bigint)\nlanguage plpgsql",
        "unread integer, head_seq bigint, read_seq bigint, more text)\nlanguage plpgsql",
    )
    wider = wider.replace("t, u.unread, u.head_seq, u.read_seq\n", "t, u.unread, u.head_seq, u.read_seq, 'more'\n")
    wider = replace(schema, functions=wider)
    migrate(url)
    assert await while_writing(await opened(url), lambda: [migrate(url, one) for one in [wider, schema] * 10])
    assert catalog(url) == catalog_of(empty, schema)


def catalog_of(empty, schema):
    url = empty()
    migrate(url, schema)
    return catalog(url)


# Locks


def test_migrations_at_once_happen_one_after_the_other(empty):
    url, together = empty(), threading.Barrier(4)
    make_old(url, OLD[0])

    def migrate_together(_):
        together.wait(10)
        return migrate(url)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(migrate_together, range(4))) == [VERSION] * 4
    assert run(url, "select count(*), max(number) from schema_migrations") == [(len(current().migrations), VERSION)]


def test_a_lock_that_somebody_holds_is_tried_for_again_and_had_when_they_are_done(empty):
    url = empty()
    migrate(url)
    schema = with_more("alter table messages add column more text")
    with closing(psycopg2.connect(url)) as holder, holder.cursor() as cursor, ThreadPoolExecutor(1) as thread:
        cursor.execute("lock table messages in access share mode")
        migrating = thread.submit(migrate, url, schema, pause=0.01)
        first = until_it_waits(cursor, migrating)
        while until_it_waits(cursor, migrating) == first:
            pass
        holder.rollback()
        assert migrating.result(30) == VERSION + 1
    assert run(url, "select more from messages") == []


def until_it_waits(cursor, migrating):
    """Until the migration waits for a table that the cursor's transaction has; when it began to."""
    deadline = time.monotonic() + 20
    while True:
        cursor.execute("select waitstart from pg_locks where not granted and relation = 'messages'::regclass")
        if (row := cursor.fetchone()) and row[0]:
            return row[0]
        assert time.monotonic() < deadline and not migrating.done()


def test_a_lock_that_is_never_had_is_told_and_what_came_before_stays(empty):
    url = empty()
    migrate(url)
    schema = with_more(
        "create table before (id integer)",
        "create table beside (id integer); alter table messages add column more text",
    )
    with closing(psycopg2.connect(url)) as holder, holder.cursor() as cursor:
        cursor.execute("lock table messages in access share mode")
        with pytest.raises(
            MigrationFailed, match=f"^{VERSION + 2:04}_more did not get its locks in 2 tries.*Nothing of it is left"
        ):
            soon(url, schema)
        assert run(url, "select schema_version from parley") == [(VERSION + 1,)]
        assert run(url, "select to_regclass('before') is null, to_regclass('beside') is null") == [(False, True)]
    assert soon(url, schema) == VERSION + 2


def test_who_writes_meanwhile_waits_no_longer_than_one_try_takes(empty):
    """A statement that waits for a lock holds up everybody behind it, so it does not wait for long."""
    url = empty()
    migrate(url)
    with closing(psycopg2.connect(url)) as holder, holder.cursor() as cursor, ThreadPoolExecutor(1) as thread:
        cursor.execute("lock table messages in access share mode")
        migrating = thread.submit(soon, url, with_more("alter table messages add column more text"), tries=1)
        until_it_waits(cursor, migrating)
        run(url, "set lock_timeout = '1500ms'; select count(*) from messages")
        with pytest.raises(MigrationFailed):
            migrating.result(10)


def test_another_migrate_that_never_ends_is_told(empty):
    url = empty()
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (0x5061726C6579,))  # as the release before takes it
        with pytest.raises(MigrationFailed, match="Another migrate has been running"):
            migrate(url, patience=0.05)
    migrate(url)


# What goes wrong


def test_a_migration_that_fails_is_undone_alone(empty):
    url = empty()
    migrate(url)
    good = "create table good (id integer)"
    with pytest.raises(
        MigrationFailed, match=f"^{VERSION + 2:04}_more failed, and nothing of it is left: division by zero$"
    ):
        soon(
            url,
            with_more(
                good,
                "create table bad (id integer); select 1/0",
                functions="create function late() returns void language sql as '';",
            ),
        )
    assert run(url, "select to_regclass('good') is null, to_regclass('bad') is null, to_regproc('late') is null") == [
        (False, True, True)
    ]
    assert run(url, "select max(number) from schema_migrations") == [(VERSION + 1,)]
    schema = with_more(good, "create table bad (id integer)")
    assert migrate(url, schema) == VERSION + 2  # the good one is not tried again
    schema.check(run(url, migrations.STATE)[0][0])


def test_a_fresh_database_that_could_not_be_made_is_empty(empty):
    url = empty()
    before = catalog(url)
    with pytest.raises(MigrationFailed, match="schema.sql failed.*division by zero"):
        migrate(url, with_more(functions="select 1/0;"))
    assert catalog(url) == before


@pytest.mark.gen_test
async def test_a_database_of_something_else_is_left_alone(opened, empty):
    url = empty()
    run(url, "create table parley (id integer)")
    before = catalog(url)
    db = await opened(url)
    with pytest.raises(UnknownSchema, match="something else.*another database"):
        await db.check_schema()
    with pytest.raises(UnknownSchema, match="something else.*another database"):
        migrate(url)
    other = empty()
    run(other, "create table users (id integer)")
    with pytest.raises(UnknownSchema, match='something else: relation "users" already exists. Use another database'):
        migrate(other)
    assert catalog(url) == before and tables(other) == ["users"]


def test_a_newer_database_that_this_code_can_run_on_is_left_as_it_is(empty):
    """Also one whose migration has only begun: the instances of this release go on meanwhile."""
    url = empty()
    newer = with_more("create table before (id integer)", "select 1/0", functions=ONE)
    migrate(url)
    with pytest.raises(MigrationFailed):
        migrate(url, newer)
    before = catalog(url), data(url)
    assert migrate(url) == VERSION + 1
    assert (catalog(url), data(url)) == before
    newer = with_more("create table before (id integer)", "create table after (id integer)", functions=ONE)
    assert migrate(url, newer) == VERSION + 2
    assert migrate(url) == VERSION + 2
    assert run(url, "select a_pair(1)") == [("(1)",)]


def test_a_newer_database_that_this_code_cannot_run_on_is_refused(empty):
    url = empty()
    migrate(url)
    migrate(url, with_more(f"update parley set compatible_from = {VERSION + 1}"))
    with pytest.raises(UnknownSchema, match="newer than this code.*Deploy"):
        migrate(url)


def test_names_and_numbers_of_migrations_are_checked(tmp_path):
    shutil.copytree(migrations.ROOT / "migrations", tmp_path / "migrations")
    shutil.copy(migrations.ROOT / "schema.sql", tmp_path)
    assert Schema.read(tmp_path) == current()
    (tmp_path / "migrations" / "0002_twice.sql").touch()
    with pytest.raises(ValueError, match="0002_twice.sql has the number of 0002_muted.sql"):
        Schema.read(tmp_path)
    (tmp_path / "migrations" / "0002_twice.sql").rename(tmp_path / "migrations" / "2-twice.sql")
    with pytest.raises(ValueError, match="2-twice.sql is not called like"):
        Schema.read(tmp_path)


# What an instance takes


def test_an_instance_starts_only_where_the_functions_of_its_release_have_been(empty):
    url = empty()
    migrate(url)
    other = with_more(functions="create or replace function late() returns integer language sql as 'select 1';")
    state = run(url, migrations.STATE)[0][0]
    current().check(state)
    with pytest.raises(UnknownSchema, match="older than this code"):
        other.check(state)
    migrate(url, other)
    state = run(url, migrations.STATE)[0][0]
    other.check(state)
    current().check(state)  # the release before goes on, and may start again


@pytest.mark.gen_test
async def test_a_database_without_schema_is_told_to_be_migrated(opened, empty):
    db = await opened(empty())
    with pytest.raises(UnknownSchema, match="no schema yet.*server.py migrate"):
        await db.check_schema()


@pytest.mark.gen_test
async def test_an_older_schema_is_told_to_be_migrated(opened, empty):
    url = empty()
    migrate(url)
    run(url, "update parley set schema_version = 0, compatible_from = 0")
    db = await opened(url)
    with pytest.raises(UnknownSchema, match="older than this code.*server.py migrate"):
        await db.check_schema()
    migrate(url)
    await db.check_schema()


@pytest.mark.gen_test
async def test_a_newer_schema_is_run_on_if_it_says_so(opened, empty):
    url = empty()
    migrate(url)
    db = await opened(url)
    run(url, "update parley set schema_version = %s", VERSION + 1)
    await db.check_schema()
    run(url, "update parley set compatible_from = %s", VERSION + 1)
    with pytest.raises(UnknownSchema, match="newer than this code.*Deploy"):
        await db.check_schema()


def test_what_a_database_says_of_itself_does_not_say_its_key(fresh):
    assert "token_key" not in run(fresh, migrations.STATE)[0][0]


@pytest.mark.gen_test
async def test_a_new_epoch_is_another_and_stays(opened, empty):
    url = empty()
    migrate(url)
    db = await opened(url)
    before = await db.epoch()
    after = new_epoch(url)
    assert after != before and await db.epoch() == after
    migrate(url)
    assert await db.epoch() == after


# The release before


@pytest.fixture(scope="module")
def release_before(tmp_path_factory):
    """A tree of the release before that may be changed."""
    return build_of(RELEASE_BEFORE, tmp_path_factory.mktemp("release_before")).folder


# Its databases are made by its own `migrate` and then by this release's.
TEMPLATE = """

import os, subprocess, sys
from local.instance import migrate


@pytest.fixture(scope="session")
def template(postgres):
    postgres.create_database("template")
    migrate(postgres.url("template"))
    subprocess.run([sys.executable, "server.py", "migrate"], cwd=os.environ["NEXT_RELEASE"], check=True,
                   env={**os.environ, "DATABASE_URL": postgres.url("template")})
    return "template"
"""
STARTS = """
import pytest

@pytest.mark.gen_test
async def test_an_instance_takes_the_schema_for_one_that_it_can_run_on(db):
    await db.check_schema()
"""


def test_the_release_before_passes_its_own_tests_on_the_migrated_schema(release_before):
    with open(release_before / "tests" / "conftest.py", "a") as conftest:
        conftest.write(TEMPLATE)
    (release_before / "tests" / "chat" / "test_starts.py").write_text(STARTS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/chat/test_starts.py", "tests/chat/test_messages.py", "tests/chat/test_chats.py", "tests/chat/test_reads.py", "tests/chat/test_search.py"],
        cwd=release_before, env={**environment, "NEXT_RELEASE": str(migrations.ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout and "skipped" not in ended.stdout, ended.stdout
