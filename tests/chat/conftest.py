"""A database and people in it. Each test makes people and chats of its own, so that a module's tests share one database."""

import asyncio
import itertools
import time
import uuid
from contextlib import closing, contextmanager

import psycopg2
import pytest
from hypothesis import HealthCheck, settings

from chat import chats, messages, reads
from errors import Refused
from store.database import Database

# How long an example takes says nothing on a busy machine.
quick = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))

_numbers = itertools.count(1)


class World:
    """Calls of `chat/` with what a test does not care about filled in."""

    def __init__(self, db):
        self.db = db

    async def user(self, name=None, display_name=None) -> str:
        name = name or f"user{next(_numbers)}"
        return (
            await self.db.row("select id from create_user(%s, %s, 'no password', null)", name, display_name or name)
        ).id

    async def users(self, count) -> list:
        return [await self.user() for _ in range(count)]

    async def group(self, owner, *others, name="A group") -> str:
        return (await chats.create(self.db, owner, key(), "group", name, None, list(others), 100)).answer["id"]

    async def direct(self, one, other) -> str:
        return (await chats.create(self.db, one, key(), "direct", None, None, [other], 100)).answer["id"]

    async def send(self, actor, chat_id, content="Hello", *, limit=50) -> str:
        return (await messages.send(self.db, actor, key(), chat_id, content, limit)).answer["id"]

    async def delete(self, actor, message_id, *, limit=50):
        return await messages.delete(self.db, actor, key(), message_id, limit)

    async def edit(self, actor, message_id, content="Edited"):
        return await messages.edit(self.db, actor, key(), message_id, content)

    async def read(self, actor, message_id):
        return await reads.mark(self.db, actor, message_id)

    async def add(self, actor, chat_id, *user_ids, most=100):
        return await chats.add(self.db, actor, key(), chat_id, list(user_ids), most)

    async def remove(self, actor, chat_id, user_id):
        return await chats.remove(self.db, actor, key(), chat_id, user_id)

    async def head(self, chat_id) -> int:
        return (await self.db.row("select head_seq from chats where id = %s", chat_id)).head_seq

    async def log(self, chat_id) -> list:
        """The chat's pointers, in order."""
        return await self.db.rows("select * from chat_events where chat_id = %s order by seq", chat_id)


def key() -> str:
    return str(uuid.uuid4())


@contextmanager
def refused(code, field=...):
    """The block raises `Refused` with this code (and this field, where one is given)."""
    with pytest.raises(Refused) as raised:
        yield
    assert raised.value.code == code
    if field is not ...:
        assert raised.value.field == field


async def age(db, table, *ids):
    """Make these older than each other, the first one the oldest."""
    for days, id in enumerate(reversed(ids)):
        await db.rows(
            f"update {table} set created_at = created_at - make_interval(days => %s) where id = %s returning id",
            days,
            id,
        )


async def until(condition, seconds=5):
    """Wait until the coroutine function answers something true."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
def opened(io_loop, database):
    """`await opened(url, **options)` → an open `Database`, closed at the end of the test."""
    databases = []

    async def create(url=database, **options) -> Database:
        databases.append(Database(url, **options))
        await databases[-1].open()
        return databases[-1]

    yield create
    for db in databases:
        io_loop.run_sync(db.close)


@pytest.fixture
def together(database):
    """`await together(calls)` → the outcomes of mutations that really run at once: let go when all of them have come to the chats."""

    async def run(calls):
        with closing(psycopg2.connect(database)) as gate, gate.cursor() as cursor:
            cursor.execute("lock table chats in exclusive mode")
            tasks = [asyncio.ensure_future(call) for call in calls]

            async def all_wait():
                cursor.execute(
                    "select count(*) from pg_locks join pg_database d on d.oid = database "
                    "where not granted and datname = current_database()"
                )
                return cursor.fetchone()[0] == len(tasks)

            await until(all_wait)
            gate.commit()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run


@pytest.fixture
def db(io_loop, opened):
    return io_loop.run_sync(opened)


@pytest.fixture
def world(db):
    return World(db)
