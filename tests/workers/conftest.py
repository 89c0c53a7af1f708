"""A database, people in it, and consumers whose work can be watched, held up and made to fail."""

import asyncio

import pytest

from tests.chat.conftest import db, opened, until, world  # noqa: F401
from workers import worker
from workers.consumers import Consumer
from workers.worker import Limits
from workers.workers import Workers

QUICK = {"work_delay_seconds": 0.02, "work_sweep_seconds": 0.1, "work_lease_seconds": 5.0}


class Work:
    """A consumer's work: takes events in the order of their seqs, and remembers by whom."""

    def __init__(self):
        self.calls = []  # positions of each call
        self.done = {}  # chat → seqs
        self.failing = {}  # chat → error
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0

    async def __call__(self, db, positions, limit):
        self.calls.append(dict(positions))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            for chat_id in positions:
                if chat_id in self.failing:
                    raise self.failing[chat_id]
            rows = await db.rows("select id, head_seq from chats where id = any(%s::uuid[])", list(positions))
            heads = {row.id: min(row.head_seq, positions[row.id] + limit) for row in rows}
            for chat_id, head in heads.items():
                self.done.setdefault(chat_id, []).extend(range(positions[chat_id] + 1, head + 1))
            return heads
        finally:
            self.at_once -= 1


@pytest.fixture(autouse=True)
def nothing_done(io_loop, db):
    """What other tests did, and left undone, is unknown to this one's consumers."""

    async def forget():
        for table in ("consumers", "consumer_positions"):
            await db.rows(f"delete from {table} returning 1")

    io_loop.run_sync(forget)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """What is not done in this time counts as missed."""
    monkeypatch.setattr(worker, "GRACE", 0.2)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def instance(io_loop, opened):
    """`await instance(work, …, name="search", everywhere=True, **limits)` → started `Workers` with a database of their own; stopped with the test."""
    running = []

    async def start(*works, name="test", everywhere=True, **limits):
        consumers = [Consumer(f"{name}{n or ''}", one, everywhere) for n, one in enumerate(works)]
        running.append(Workers(await opened(), Limits(**{**QUICK, **limits}), consumers))
        running[-1].start()
        return running[-1]

    async def stop():
        for one in running:
            await one.stop(0.1)

    yield start
    io_loop.run_sync(stop)


@pytest.fixture
def position(db):
    """`await position(chat, "test")` → the row of that consumer and chat, or None."""

    async def read(chat_id, consumer="test"):
        return await db.row("select * from consumer_positions where chat_id = %s and consumer = %s", chat_id, consumer)

    return read
