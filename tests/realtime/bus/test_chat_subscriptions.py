"""Instances that hear only the chats watched there, on a real Valkey: nothing else is heard, and nothing of those is missed."""

import asyncio

import pytest

from chat import chats, head_check
from chat.channels import CHANNELS
from errors import Unavailable
from realtime.bus import chat_subscriptions
from realtime.stream import reconciler
from tests.chat.conftest import key
from tests.realtime.instances import NEVER, caught_up, command, counted, published, send, texts
from tests.realtime.sockets import until

CHAT = {**NEVER, "channel_scope": "chat"}  # and nothing is looked at unless something says so


class Gate:
    """Holds an instance's changes of its subscriptions back while it is closed; `passed` are those that went through."""

    def __init__(self, node):
        self._change = node._subscriber.change
        node._subscriber.change = self
        self._open = asyncio.Event()
        self.waiting = 0
        self.passed = []
        self.open()

    async def __call__(self, add, drop):
        self.waiting += 1
        await self._open.wait()
        self.waiting -= 1
        await self._change(add, drop)
        self.passed.append((add, drop))

    def close(self):
        self._open.clear()
        return self

    def open(self):
        self._open.set()


def hearing(server, chat_id, channel="messageAdded") -> int:
    """How many connections hear a chat."""
    return command(server, "PUBSUB", "NUMSUB", f"{channel}.{chat_id}")[1]


def heard() -> int:
    """How many events all instances have heard."""
    return sum(counted("events_received", channel=name) for name in (*CHANNELS, "parley:typing"))


async def subscribed(server, *chat_ids):
    for chat_id in chat_ids:
        await until(lambda chat_id=chat_id: hearing(server, chat_id))


@pytest.mark.gen_test
async def test_an_instance_hears_the_chats_of_its_sockets_and_nothing_of_others(healthy, connect, world, server):
    one, other = await healthy(**CHAT)
    ada, bob, eve = await world.users(3)
    chat_id, foreign = await world.group(ada, bob), await world.group(eve, ada)
    his = await connect(other, bob).hello().synced()
    await subscribed(server, chat_id)
    before = heard()
    for number in range(5):
        await published(one, send(world, eve, foreign, f"not his {number}"))
        one.typing(foreign, eve)
    await published(one, send(world, ada, chat_id, "his"))
    one.typing(chat_id, ada)
    await caught_up(world, his)
    await his.until(lambda: his.client.unread[chat_id] == (2, 1) and his.client.of("typing"))
    assert heard() - before == 3  # the message, his count, and that ada types
    assert texts(his.client) == ["his"] and hearing(server, foreign) == 0
    assert hearing(server, chat_id, "chatMessageNotification") == 0


@pytest.mark.gen_test
async def test_projections_reach_who_asked_for_them(healthy, connect, world, server):
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    his = (
        await connect(other, bob, channels=[name for name, channel in CHANNELS.items() if channel.projects])
        .hello()
        .synced()
    )
    await subscribed(server, chat_id)
    await published(one, send(world, ada, chat_id))
    await his.until(lambda: len(his.client.of("event")) == 3)


@pytest.mark.gen_test
async def test_what_happens_between_the_snapshot_and_the_subscription_is_not_missed(healthy, connect, world):
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message = await world.send(ada, chat_id)
    gate = Gate(other).close()
    his, his_too = [await connect(other, bob).hello().synced() for _ in range(2)]
    await until(lambda: gate.waiting)
    one.publish((await world.read(bob, message)).events)
    await published(one, send(world, ada, chat_id, "meanwhile"))
    his.take()
    assert not texts(his.client) and his.client.unread[chat_id] == (2, 1)
    gate.open()
    for socket in (his, his_too):
        await caught_up(world, socket)
        await socket.until(lambda socket=socket: socket.client.watermarks[chat_id].get(bob) == 2)
        await socket.until(lambda socket=socket: socket.client.unread[chat_id] == (3, 1))
        assert texts(socket.client) == ["meanwhile"]


@pytest.mark.gen_test
async def test_a_receipt_alone_is_not_missed_either(healthy, connect, world):
    """It takes no seq, so the heads do not tell of it."""
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message = await world.send(ada, chat_id)
    gate = Gate(other).close()
    hers, his = [await connect(other, user).hello().synced() for user in (ada, bob)]
    one.publish((await world.read(bob, message)).events)
    gate.open()
    await hers.until(lambda: hers.client.watermarks.get(chat_id, {}).get(bob) == 2)
    await his.until(lambda: his.client.unread[chat_id] == (2, 0))


@pytest.mark.gen_test
async def test_the_comparison_is_tried_until_the_database_answers(healthy, connect, world, monkeypatch):
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    gate = Gate(other).close()
    his = await connect(other, bob).hello().synced()
    await published(one, send(world, ada, chat_id, "meanwhile"))
    changes, refused = head_check.changes, []

    async def refusing(*question):
        if len(refused) < 2:
            refused.append(question)
            raise Unavailable("the test said so")
        return await changes(*question)

    monkeypatch.setattr(reconciler, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(head_check, "changes", refusing)
    gate.open()
    await caught_up(world, his)
    assert len(refused) == 2


@pytest.mark.gen_test
async def test_who_is_let_into_a_chat_hears_of_it_at_once_and_of_what_follows(healthy, connect, world):
    one, other = await healthy(**CHAT)
    ada, bob, eve = await world.users(3)
    his, hers = [await connect(other, user).hello().synced() for user in (bob, eve)]
    created = (await published(one, chats.create(world.db, ada, key(), "group", "New", None, [bob], 10))).answer["id"]
    await published(one, send(world, ada, created, "first"))
    await caught_up(world, his)
    await published(one, chats.add(world.db, ada, key(), created, [eve], 10))
    await published(one, send(world, ada, created, "second"))
    await caught_up(world, his, hers)
    assert (texts(his.client), texts(hers.client)) == (["first", "second"], ["second"])
    await published(one, chats.remove(world.db, ada, key(), created, bob))
    await published(one, send(world, ada, created, "not his"))
    await caught_up(world, his, hers)
    assert texts(his.client) == ["first", "second"] and his.client.of("left")


@pytest.mark.gen_test
async def test_a_new_connection_subscribes_to_everything_again_in_batches_and_misses_nothing(
    healthy, connect, world, server, monkeypatch
):
    monkeypatch.setattr(chat_subscriptions, "CHATS", 2)
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_ids = [await world.group(ada, bob) for _ in range(5)]
    message = await world.send(ada, chat_ids[0])
    his = await connect(other, bob).hello().synced()
    await subscribed(server, *chat_ids)
    gate, checked = Gate(other).close(), other.head_checks.checked_at
    command(server, "CLIENT", "KILL", "TYPE", "pubsub")
    await until(lambda: gate.waiting, 10)
    await until(lambda: other.head_checks.checked_at != checked and other.head_checks.is_idle)
    for chat_id in chat_ids:
        await published(one, send(world, ada, chat_id, "after the look, before the subscription"))
    one.publish((await world.read(bob, message)).events)
    his.take()
    assert not texts(his.client)
    gate.open()
    await caught_up(world, his)
    await his.until(lambda: his.client.unread[chat_ids[0]] == (3, 1))
    assert [hearing(server, chat_id) for chat_id in chat_ids] == [1] * 5
    per_chat = len(other.channel_names.of_chat("c"))
    assert [len(add) // per_chat for add, _ in gate.passed] == [2, 2, 1]


@pytest.mark.gen_test
async def test_a_chat_that_its_last_socket_left_is_not_heard_any_more_and_heard_again_when_one_comes_back(
    healthy, connect, world, server, monkeypatch
):
    monkeypatch.setattr(chat_subscriptions, "LINGER_SECONDS", 0.05)
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id, removed_from = await world.group(ada, bob), await world.group(bob, ada)
    hers, his = [await connect(other, user).hello().synced() for user in (ada, bob)]
    await subscribed(server, chat_id, removed_from)
    his.leave()
    await published(one, chats.remove(world.db, bob, key(), removed_from, ada))
    await until(lambda: not hearing(server, removed_from))
    assert hearing(server, chat_id)
    hers.leave()
    await until(lambda: not hearing(server, chat_id))
    before = heard()
    await published(one, send(world, bob, chat_id, "nobody hears"))
    again = await connect(other, bob).hello().synced()
    await subscribed(server, chat_id)
    assert heard() == before
    await published(one, send(world, bob, chat_id, "heard"))
    await caught_up(world, again)
    assert texts(again.client) == ["heard"]
    await until(lambda: heard() > before)


@pytest.mark.gen_test
async def test_a_client_that_reconnects_soon_costs_nothing(healthy, connect, world, server):
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first = await connect(other, bob).hello().synced()
    await subscribed(server, chat_id)
    await until(lambda: chat_id in other._subscriptions._subscribed)
    gate = Gate(other)
    first.leave()
    missed = await published(one, send(world, ada, chat_id, "missed"))
    again = await connect(other, first.client).hello().synced()
    await published(one, send(world, ada, chat_id, "heard"))
    await caught_up(world, again)
    assert texts(first.client) == ["missed", "heard"] and missed.seq == 2
    assert gate.passed == [] and not gate.waiting


@pytest.mark.gen_test
async def test_an_unsubscription_under_way_does_not_undo_a_subscription(healthy, connect, world, server, monkeypatch):
    monkeypatch.setattr(chat_subscriptions, "LINGER_SECONDS", 0.0)
    one, other = await healthy(**CHAT)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    gate = Gate(other)
    first = await connect(other, bob).hello().synced()
    await until(lambda: len(gate.passed) == 1)
    gate.close()
    first.leave()
    await until(lambda: gate.waiting)
    again = await connect(other, bob).hello().synced()
    await published(one, send(world, ada, chat_id, "on its way"))
    gate.open()
    await until(lambda: len(gate.passed) == 3)
    assert [(len(add) > 0, len(drop) > 0) for add, drop in gate.passed] == [(True, False), (False, True), (True, False)]
    before = heard()
    await published(one, send(world, ada, chat_id, "heard"))
    await caught_up(world, again)
    assert texts(again.client) == ["on its way", "heard"]
    await until(lambda: heard() > before)


@pytest.mark.gen_test
async def test_a_subscription_that_redis_refuses_is_no_end(healthy, connect, world, server, monkeypatch):
    """Its connection begins anew; the chat goes by the comparison of heads meanwhile."""
    one, other = await healthy(channel_scope="chat")
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    command(
        server,
        "ACL",
        "SETUSER",
        "default",
        "resetchannels",
        "&parley:*",
        "&chatAdded",
        "&chatUpdated",
        "&messageAdded.*",
    )
    try:
        his = await connect(other, bob).hello().synced()
        await until(lambda: other.state()["subscriber"]["lastError"] == "NoPermissionError")
        await published(one, send(world, ada, chat_id, "late"))
        await caught_up(world, his)
    finally:
        command(server, "ACL", "SETUSER", "default", "allchannels")
    await until(lambda: hearing(server, chat_id), 10)
    await published(one, send(world, ada, chat_id, "heard"))
    await caught_up(world, his)


@pytest.mark.gen_test
async def test_instances_of_both_scopes_lose_nothing(healthy, instance, connect, world, server):
    (one,) = await healthy(server.url)
    (other,) = await healthy(server.url, channel_scope="chat")
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    hers, his = [await connect(*where).hello().synced() for where in ((one, ada), (other, bob))]
    for number in range(3):
        await published(one, send(world, ada, chat_id, f"from one {number}"))
        await published(other, send(world, bob, chat_id, f"from the other {number}"))
    await caught_up(world, hers, his)
    await his.until(lambda: his.client.unread[chat_id][1] == 0)
    await hers.until(lambda: hers.client.watermarks[chat_id].get(bob) == 7)
    assert len(texts(hers.client)) == 6 and texts(hers.client) == texts(his.client)
