"""Settings of Hypothesis, a clean start for every test's event loop, and instances with their sockets."""

import pytest
from hypothesis import settings

from realtime.limits import Limits
from realtime.node import Node
from tests.chat.conftest import db, opened, world  # noqa: F401
from tests.realtime.client import Client
from tests.realtime.instances import QUICK
from tests.realtime.proxy import Proxy
from tests.realtime.sockets import Connection, Pair, until

# A slow machine is no failure.
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
def instance(io_loop, db):
    """`await instance(redis=url, start=False, db=…, **limits)` → a `Node`. Not started, it neither publishes nor looks by itself."""
    nodes = []

    async def create(*, redis=NO_REDIS, start=False, db=db, **limits) -> Node:
        node = Node(db, redis, f"web.{len(nodes) + 1}", Limits(**limits))
        nodes.append(node)
        if start:
            await node.start()
        else:
            node.epoch = await db.epoch()
        return node

    yield create
    for node in nodes:
        io_loop.run_sync(node.stop)


@pytest.fixture
def connect(io_loop):
    """`connect(node, user or client, **options)` → a `Connection`, gone at the end of the test."""
    connections = []

    def create(node, who, session_id=None, buffer=2**16, **options) -> Connection:
        client = who if isinstance(who, Client) else Client(who, **options)
        connections.append(Connection(node, client, session_id, buffer))
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

    async def close():
        for each in pairs:
            each.close()

    io_loop.run_sync(close)


@pytest.fixture
def server(valkey):
    """The Valkey of this test process, running again after each test."""
    yield valkey
    valkey.thaw()
    valkey.start()


@pytest.fixture
def proxy(io_loop, server):
    proxy = io_loop.run_sync(Proxy(server.url).start)
    yield proxy
    io_loop.run_sync(proxy.stop)


@pytest.fixture
def healthy(instance, server):
    """`await healthy(url, …, **limits)` → an instance at each of these addresses of Redis, whose canaries are heard."""

    async def create(*urls, **limits):
        nodes = [
            await instance(redis=url, start=True, **{**QUICK, **limits}) for url in urls or (server.url, server.url)
        ]
        for node in nodes:
            await until(lambda node=node: not node.degraded, 10)
            await until(lambda node=node: node.head_checks.checked_at and node.head_checks.is_idle)
        return nodes

    return create
