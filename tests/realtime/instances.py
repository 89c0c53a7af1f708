"""Instances on a real Valkey, and what their tests do with them."""

import redis

from chat import messages
from metrics import REGISTRY
from tests.chat.conftest import key

# Checks that come quickly, and a canary that is missed soon.
QUICK = {
    "head_check_seconds": 0.3,
    "head_check_degraded_seconds": 0.1,
    "canary_seconds": 0.05,
    "canary_timeout_seconds": 0.4,
}
# Nothing is looked at unless something says so.
NEVER = {**QUICK, "head_check_seconds": 1000.0, "head_check_degraded_seconds": 1000.0}


def command(server, *words):
    with redis.Redis.from_url(server.url) as client:
        return client.execute_command(*words)


def counted(name, **labels):
    return REGISTRY.get_sample_value(f"parley_{name}_total", labels) or 0


async def published(node, operation):
    outcome = await operation
    node.publish(outcome.events)
    return outcome


def send(world, actor, chat_id, content="Hello", limit=50):
    return messages.send(world.db, actor, key(), chat_id, content, limit)


async def caught_up(world, *sockets, seconds=5.0):
    """Wait until every socket is at the heads of its user's chats."""
    for socket in sockets:
        rows = await world.db.rows(
            "select c.id, c.head_seq from participants p join chats c on c.id = p.chat_id where p.user_id = %s",
            socket.client.user_id,
        )
        await socket.until(
            lambda socket=socket, rows=rows: socket.client.cursors == {row.id: row.head_seq for row in rows}, seconds
        )


def texts(client):
    return [data["content"] for _, _, channel, data in client.logged if channel == "messageAdded"]
