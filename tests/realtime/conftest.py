"""Settings of Hypothesis, a clean start for every test's event loop, and instances with their sockets."""

import pytest
from hypothesis import settings

from realtime.delivery import Delivery, Limits
from realtime.wire import tick
from tests.chat.conftest import db, opened, world  # noqa: F401
from tests.realtime.client import Client
from tests.realtime.sockets import Connection, Pair

# A slow machine is no failure.
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def nothing_to_flush():
    """A process has one event loop, a test has one of its own: what the last one did not send must not wait for it."""
    tick.__init__()


@pytest.fixture
def instance(io_loop, db):
    """`await instance(redis=url, start=False, db=…, **limits)` → a `Delivery`. Not started, it neither publishes nor looks by itself."""
    deliveries = []

    async def create(*, redis=NO_REDIS, start=False, db=db, **limits) -> Delivery:
        delivery = Delivery(db, redis, f"web.{len(deliveries) + 1}", Limits(**limits))
        deliveries.append(delivery)
        if start:
            await delivery.start()
        else:
            delivery.epoch = await db.epoch()
        return delivery

    yield create
    for delivery in deliveries:
        io_loop.run_sync(delivery.stop)


@pytest.fixture
def connect(io_loop):
    """`connect(delivery, user or client, **options)` → a `Connection`, gone at the end of the test."""
    connections = []

    def create(delivery, who, session_id=None, buffer=2**16, **options) -> Connection:
        client = who if isinstance(who, Client) else Client(who, **options)
        connections.append(Connection(delivery, client, session_id, buffer))
        return connections[-1]

    yield create

    async def leave():
        for connection in connections:
            connection.leave()

    io_loop.run_sync(leave)


@pytest.fixture
def pair(io_loop):
    """`pair(…)` → both ends of a socket, closed after the test."""
    pairs = []

    def create(**options) -> Pair:
        pairs.append(Pair(**options))
        return pairs[-1]

    yield create
    for each in pairs:
        each.close()
