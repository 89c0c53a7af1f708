"""Instances on different nodes of a Redis Cluster hear each other: a publish goes to every node."""

import pytest
import redis

from local.processes import free_port
from local.valkey import Valkey
from tests.realtime.instances import NEVER, caught_up, published, send, texts
from tests.realtime.sockets import until


class Node(Valkey):
    def __init__(self, directory, **options):
        super().__init__(directory, **options)
        self.bus = free_port()

    def command(self):
        return [
            *super().command(),
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            self.bus,
            "--cluster-config-file",
            "nodes.conf",
        ]

    def ask(self, *words):
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)


@pytest.fixture
def nodes(tmp_path):
    started = [Node(tmp_path / name, port=free_port()) for name in ("one", "other")]
    try:
        for node in started:
            node.start()
        one, other = started
        one.ask("CLUSTER ADDSLOTSRANGE", 0, 16383)
        one.ask("CLUSTER MEET", "127.0.0.1", other.port, other.bus)
        yield started
    finally:
        for node in started:
            node.kill()


@pytest.mark.parametrize("scope", ["all", "chat"])
@pytest.mark.gen_test
async def test_what_one_instance_commits_those_on_another_node_hear(scope, nodes, healthy, connect, world):
    await until(lambda: all(node.ask("CLUSTER INFO")["cluster_state"] == "ok" for node in nodes), 15)
    one, other = await healthy(*(node.url for node in nodes), channel_scope=scope, **NEVER)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    here, there = [await connect(*where).hello().synced() for where in ((one, ada), (other, bob))]
    await until(
        lambda: (
            scope == "all" or chat_id in other._subscriptions._subscribed and chat_id in one._subscriptions._subscribed
        )
    )
    for number in range(3):
        await published(one, send(world, ada, chat_id, f"from one {number}"))
        await published(other, send(world, bob, chat_id, f"from the other {number}"))
    await caught_up(world, here, there)
    assert len(texts(here.client)) == 6 and texts(here.client) == texts(there.client)
