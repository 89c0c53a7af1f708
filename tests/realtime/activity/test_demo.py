"""What is broken on purpose is repaired: a publisher in disorder, dropped sockets, orders from another instance."""

import pytest

from chat import messages
from realtime.activity import demo
from realtime.activity.demo import DisorderlyPublisher
from realtime.bus.channel_names import CONTROL
from realtime.limits import Limits
from realtime.node import Node
from tests.chat.conftest import key
from tests.realtime.client import Client
from tests.realtime.instances import QUICK, published
from tests.realtime.sockets import until


@pytest.fixture
def breakable(io_loop, db, server):
    """`await breakable()` → two started instances that can be told to break things."""
    nodes = []

    async def create():
        for name in ("web.1", "web.2"):
            nodes.append(Node(db, server.url, name, Limits(**QUICK), demo=True))
            await nodes[-1].start()
        for node in nodes:
            await until(lambda node=node: not node.degraded, 10)
        return nodes

    yield create
    for node in nodes:
        io_loop.run_sync(node.stop)


@pytest.mark.gen_test
async def test_what_is_published_in_disorder_arrives_whole_once_and_in_order(world, breakable, connect, monkeypatch):
    monkeypatch.setattr(demo, "LATEST_SECONDS", 0.1)
    here, there = await breakable()
    ann, ben = await world.users(2)
    chat = await world.group(ann, ben)
    his = await connect(there, ben).hello().synced()
    here.demo.disorder()
    await until(lambda: there._publisher.disorderly_until)
    counts = here.activity.counts, there.activity.counts
    for node in (here, there):
        node.activity.lease(6)
    for number in range(60):
        sent = (await published(here, messages.send(world.db, ann, key(), chat, str(number), 50))).answer
    # The client fails at a gap and at a double.
    await his.until(lambda: his.client.cursors[chat] == sent["seq"], 20)
    assert counts[0]["lost"] > 0 and counts[1]["repaired"] > 0
    await his.until(lambda: counts[1]["doubled"] > 0)  # which may come when a pull has brought everything
    assert [data["content"] for _, _, _, data in his.client.logged] == [str(number) for number in range(60)]


@pytest.mark.gen_test
async def test_the_sockets_of_one_user_are_dropped_on_every_instance_and_nobody_elses(world, breakable, connect):
    here, there = await breakable()
    ann, ben = await world.users(2)
    hers = [await connect(node, Client(ann)).hello().synced() for node in (here, there)]
    his = await connect(there, ben).hello().synced()
    here.demo.drop_sockets(ann)
    await until(lambda: [one.code for one in hers] == [1013, 1013])
    assert his.code is None


@pytest.mark.gen_test
async def test_an_order_reaches_the_instance_that_it_names(breakable, monkeypatch):
    killed = []
    monkeypatch.setattr(demo, "KILL_AFTER_SECONDS", 0)
    monkeypatch.setattr(demo.os, "kill", lambda *which: killed.append(which))
    here, there = await breakable()
    here.demo.kill("web.2")
    await until(lambda: killed)
    assert len(killed) == 1


@pytest.mark.gen_test
async def test_who_is_no_demonstration_does_not_understand_the_order(instance, monkeypatch):
    monkeypatch.setattr(demo.os, "kill", lambda *which: pytest.fail("killed"))
    alone = await instance()
    alone.inbox.receive(CONTROL, b'{"kind": "demo", "what": "kill", "instance": "web.1"}')
    assert not isinstance(alone._publisher, DisorderlyPublisher)
