"""One socket with the real database: its hello, what it missed, what it is too slow for, and why it is closed."""

import asyncio
import time
import uuid

import pytest

from chat import chats, event_log, memberships, messages
from chat.channels import CHANNELS, DEFAULT, LOGGED
from errors import Unavailable
from realtime import node as delivery_module
from realtime.protocol import frames
from tests.chat.conftest import key
from tests.realtime.client import Client
from tests.realtime.sockets import until
from version import VERSION

NOBODYS = "00000000-0000-4000-8000-000000000000"


async def published(node, operation):
    """The outcome of an operation, published by this instance."""
    outcome = await operation
    node.publish(outcome.events)
    return outcome


def send(world, actor, chat_id, content="Hello", limit=50):
    return messages.send(world.db, actor, key(), chat_id, content, limit)


# Opening


@pytest.mark.gen_test
async def test_the_first_hello_is_welcomed_with_the_heads_and_synced_without_a_replay(instance, connect, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    await world.send(bob, chat_id)
    node = await instance()
    socket = await connect(node, ada).hello().synced()
    welcome, count, synced = socket.client.frames
    assert welcome == {
        "type": "welcome",
        "userId": ada,
        "epoch": node.epoch,
        "instance": "web.1",
        "version": VERSION,
        "channels": list(CHANNELS),
        "heads": {chat_id: 2},
    }
    assert count["data"] == {"chatId": chat_id, "userId": ada, "unreadCount": 1} and count["seq"] == 2
    assert synced["heads"] == {chat_id: 2}


@pytest.mark.gen_test
async def test_one_who_is_in_no_chat_is_welcome_too(instance, connect, world):
    socket = await connect(await instance(), await world.user()).hello().synced()
    assert [frame["type"] for frame in socket.client.frames] == ["welcome", "synced"]


@pytest.mark.gen_test
async def test_what_was_missed_is_replayed_page_by_page_as_it_reads_now(instance, connect, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    node = await instance(replay_page=3)
    socket = await connect(node, ada).hello().synced()
    socket.leave()
    sent = [await world.send(bob, chat_id, f"message {number}") for number in range(8)]
    await world.edit(bob, sent[1], "edited")
    await world.edit(bob, sent[2], "edited and gone")
    await world.delete(bob, sent[2])
    await chats.update(world.db, ada, key(), chat_id, {"name": "Renamed"})
    again = await connect(node, socket.client).hello().synced()
    seen = [
        (seq, channel, data.get("content", data.get("name", data["id"])))
        for _, seq, channel, data in again.client.logged
    ]
    texts = ["message 0", "edited", "", *(f"message {number}" for number in range(3, 8))]
    assert seen == [
        *((seq, "messageAdded", text) for seq, text in enumerate(texts, 2)),
        (10, "messageUpdated", "edited"),
        (11, "messageDeleted", sent[2]),
        (12, "messageDeleted", sent[2]),
        (13, "chatUpdated", "Renamed"),
    ]
    assert again.client.frames[-1]["type"] == "synced"


@pytest.mark.parametrize("reason", ["epoch", "ahead", "floor", "behind"])
@pytest.mark.gen_test
async def test_a_cursor_that_cannot_be_continued_is_reset_and_only_that_one(reason, instance, connect, world):
    ada, bob = await world.users(2)
    bad, good = await world.group(ada, bob), await world.group(ada, bob)
    for chat_id in (bad, good):
        for _ in range(4):
            await world.send(bob, chat_id)
    node = await instance(replay_limit=3)
    client = Client(ada)
    client.epoch, client.since = node.epoch, "2026-01-01T00:00:00Z"
    client.cursors = {bad: 3, good: 3}
    if reason == "epoch":
        client.epoch = str(uuid.uuid4())
    elif reason == "ahead":
        client.cursors[bad] = 6
    elif reason == "behind":
        client.cursors[bad] = 1
    else:
        await world.db.rows("update chats set floor_seq = 4 where id = %s returning id", bad)
    await connect(node, client).hello().synced()
    resets = [bad, good] if reason == "epoch" else [bad]
    assert sorted(frame["chatId"] for frame in client.of("reset")) == sorted(resets)
    assert all(frame["reason"] == reason and frame["head"] == 5 for frame in client.of("reset"))
    assert client.cursors == {bad: 5, good: 5}
    assert [(chat_id, seq) for chat_id, seq, *_ in client.logged] == (
        [] if reason == "epoch" else [(good, 4), (good, 5)]
    )
    assert len(client.of("state", channel="unreadCountUpdated")) == 2


@pytest.mark.gen_test
async def test_cursors_of_chats_that_are_not_the_users_any_more_are_answered_by_left(instance, connect, world):
    ada, bob = await world.users(2)
    removed, foreign = await world.group(bob, ada), await world.group(bob)
    node = await instance()
    client = (await connect(node, ada).hello().synced()).client
    await world.remove(bob, removed, ada)
    await world.send(bob, removed, "not for Ada")
    client.cursors |= {foreign: 1, NOBODYS: 1}
    await connect(node, client).hello().synced()
    assert {frame["chatId"] for frame in client.of("left")} == {removed, foreign, NOBODYS}
    assert client.cursors == {} and client.logged == []


@pytest.mark.gen_test
async def test_who_read_what_meanwhile_is_told_since_the_last_time(instance, connect, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first, second = [await world.send(ada, chat_id) for _ in range(2)]
    node = await instance()
    client = (await connect(node, ada).hello().synced()).client
    assert client.of("state", channel="messageReadUpdated") == []
    await world.read(bob, first)
    await world.read(bob, second)
    await connect(node, client).hello().synced()
    (told,) = client.of("state", channel="messageReadUpdated")
    assert told["seq"] == 3 and told["data"]["messageId"] == second and told["data"]["userId"] == bob


@pytest.mark.gen_test
async def test_only_the_channels_asked_for_come_and_projections_only_live(instance, connect, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    node = await instance()
    everything = Client(ada, CHANNELS.keys() - LOGGED)
    nothing = Client(ada, [])
    for client in (everything, nothing):
        (await connect(node, client).hello().synced()).leave()
    await world.send(bob, chat_id, "missed")
    sockets = [await connect(node, client).hello().synced() for client in (everything, nothing)]
    await published(node, send(world, bob, chat_id, "live"))
    for socket in sockets:
        await socket.until(lambda socket=socket: socket.client.cursors == {chat_id: 3})
    assert [(frame["channel"], frame["seq"]) for frame in everything.of("event")] == [
        ("messageAdded", 2), ("messageAdded", 3), ("chatMessageNotification", 3), ("messageUpdateForChatList", 3)]  # fmt: skip
    assert [frame["channel"] for frame in nothing.of("event")] == ["messageAdded"] * 2
    assert nothing.of("state") == []


# What happens meanwhile


MODULE_OF = {"replay": event_log, "membership": memberships, "memberships": memberships}


class Gate:
    """Holds the answers of one of the database's questions back, after they have been read."""

    def __init__(self, monkeypatch, name):
        self.reached, self._open = asyncio.Event(), asyncio.Event()
        module = MODULE_OF[name]
        real = getattr(module, name)

        async def held(*arguments):
            answer = await real(*arguments)
            self.reached.set()
            await self._open.wait()
            return answer

        monkeypatch.setattr(module, name, held)

    def open(self):
        self._open.set()


@pytest.mark.gen_test
async def test_one_who_joins_while_the_socket_is_opened_is_let_in(instance, connect, world, monkeypatch):
    ada, bob = await world.users(2)
    node = await instance()
    gate = Gate(monkeypatch, "memberships")
    socket = connect(node, ada).hello()
    await gate.reached.wait()
    created = await published(node, chats.create(world.db, bob, key(), "group", None, None, [ada], 10))
    gate.open()
    await socket.until(lambda: socket.client.cursors == {created.answer["id"]: 1})
    await published(node, send(world, bob, created.answer["id"]))
    await socket.until(lambda: socket.client.cursors == {created.answer["id"]: 2})


@pytest.mark.gen_test
async def test_one_who_is_removed_while_the_socket_is_opened_hears_nothing_that_came_after(
    instance, connect, world, monkeypatch
):
    ada, bob = await world.users(2)
    chat_id = await world.group(bob, ada)
    node = await instance()
    gate = Gate(monkeypatch, "memberships")
    socket = connect(node, ada).hello()
    await gate.reached.wait()
    await published(node, chats.remove(world.db, bob, key(), chat_id, ada))
    await published(node, send(world, bob, chat_id, "about Ada"))
    gate.open()
    await socket.until(lambda: socket.client.of("left"))
    await socket.synced()
    assert socket.client.cursors == {} and "about Ada" not in str(socket.client.frames)


@pytest.mark.gen_test
async def test_what_is_said_while_a_socket_is_opened_and_replayed_reaches_it_once(
    instance, connect, world, monkeypatch
):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    node = await instance(replay_page=2)
    client = (await connect(node, ada).hello().synced()).client
    for name in ("memberships", "replay"):
        with monkeypatch.context() as patch:
            gate = Gate(patch, name)
            await world.send(bob, chat_id)
            await world.send(bob, chat_id)
            socket = connect(node, client).hello()
            await gate.reached.wait()
            for _ in range(3):
                await published(node, send(world, bob, chat_id))
            gate.open()
            await socket.synced()
            head = await world.head(chat_id)
            await socket.until(lambda head=head: client.cursors == {chat_id: head})
            socket.leave()
    assert [seq for _, seq, *_ in client.logged] == list(range(2, 12))


# Slow sockets


@pytest.mark.gen_test
async def test_a_slow_socket_holds_a_bounded_number_of_bytes_and_loses_nothing(instance, connect, world):
    ada, bob = await world.users(2)
    chat_ids = [await world.group(ada, bob) for _ in range(3)]
    node = await instance(socket_buffer_bytes=16_384, replay_page=10)
    slow, quick = connect(node, ada, buffer=2048), connect(node, ada)
    for socket in (slow, quick):
        await socket.hello().synced()
    longest, most = 0, 0
    for number in range(150):
        outcome = await published(node, send(world, bob, chat_ids[number % 3], "x" * 1000))
        longest = max(longest, len(str(outcome.answer)) + 200)
        await quick.until(lambda seq=outcome.seq, number=number: quick.client.cursors[chat_ids[number % 3]] == seq)
        most = max(most, slow.served.writer.unsent + slow.pair.writer.queued)
    assert 16_384 < most <= 16_384 + longest
    assert any(slow.served in stream.behind for stream in slow.served.streams.values())
    reader = await world.send(ada, chat_ids[0])
    node.publish((await world.read(bob, reader)).events)
    heads = {chat_id: await world.head(chat_id) for chat_id in chat_ids}
    for chat_id, stream in slow.served.streams.items():
        node.event_stream.pull(stream, heads[chat_id], "test")
    for socket in (slow, quick):
        await socket.until(lambda socket=socket: socket.client.cursors == heads)
        await socket.until(lambda socket=socket: socket.client.watermarks[chat_ids[0]] == {ada: 52, bob: 52})
        counts = lambda socket=socket: {chat_id: count for chat_id, (_, count) in socket.client.unread.items()}  # noqa: E731
        await socket.until(lambda counts=counts: counts() == {chat_ids[0]: 0, chat_ids[1]: 50, chat_ids[2]: 50})
    assert slow.code is None and not slow.served.catching_up
    assert all(stream.is_member(slow.served) for stream in slow.served.streams.values())
    outcome = await published(node, send(world, bob, chat_ids[1]))
    await slow.until(lambda: slow.client.cursors[chat_ids[1]] == outcome.seq)


@pytest.mark.gen_test
async def test_more_states_than_fit_the_buffer_are_all_told_on_opening_and_after_draining(instance, connect, world):
    ada, bob = await world.users(2)
    chat_ids = [await world.group(ada, bob) for _ in range(120)]
    for chat_id in chat_ids:
        await world.send(bob, chat_id)
    node = await instance(socket_buffer_bytes=4096)
    socket = await connect(node, ada, buffer=2048).hello().synced()
    assert {chat_id: count for chat_id, (_, count) in socket.client.unread.items()} == dict.fromkeys(chat_ids, 1)
    for chat_id in chat_ids:
        await published(node, send(world, bob, chat_id))
    assert socket.served.catching_up, "the client took it all, which it was not meant to"
    await socket.until(lambda: all(count == 2 for _, count in socket.client.unread.values()))
    await socket.until(lambda: not socket.served.catching_up)
    assert len(socket.client.of("state", channel="unreadCountUpdated")) < 4 * len(chat_ids)


@pytest.mark.gen_test
async def test_a_slow_socket_of_many_chats_does_not_read_the_same_events_again_and_again(
    instance, connect, world, monkeypatch
):
    ada, bob = await world.users(2)
    chat_ids = [await world.group(ada, bob) for _ in range(30)]
    node = await instance(socket_buffer_bytes=8192, replay_page=20)
    socket = await connect(node, ada).hello().synced()
    socket.leave()
    await world.db.rows(
        "select create_message(%s, gen_random_uuid(), 0, id, repeat('x', 300), 50) from unnest(%s::uuid[]) as id, generate_series(1, 20)",
        bob,
        chat_ids,
    )
    monkeypatch.setattr("realtime.stream.client.REPLAY_EVENTS", 20)
    read, real = [], event_log.replay

    async def counted(*arguments):
        logs = await real(*arguments)
        read.append(sum(len(chat.events) for chat in logs.values()))
        return logs

    monkeypatch.setattr(event_log, "replay", counted)
    await connect(node, socket.client, buffer=2048).hello().synced()
    assert len(socket.client.logged) == 600
    assert max(read) < 40 and sum(read) < 3 * 600


@pytest.mark.gen_test
async def test_a_socket_that_takes_nothing_is_closed_and_one_that_takes_a_little_is_not(
    instance, connect, world, monkeypatch
):
    monkeypatch.setattr(delivery_module, "SWEEP_SECONDS", 0.02)
    ada = await world.user()
    await world.group(ada)
    node = await instance(socket_buffer_bytes=100_000, socket_stall_seconds=0.5)
    stalled, trickling, idle = [await connect(node, ada, buffer=2048).hello().synced() for _ in range(3)]
    for socket in (stalled, trickling):
        while socket.served.try_send(frames.PONG):
            pass
        socket.pair.writer.flush()
    sweep = asyncio.ensure_future(node._sweep())
    taken_at = 0.0
    while stalled.code is None or trickling.served.writer.unsent:
        if time.monotonic() - taken_at > 0.1:
            taken_at = time.monotonic()
            trickling.take(12_000)
        await asyncio.sleep(0.005)
    sweep.cancel()
    assert (stalled.code, trickling.code, idle.code) == (1013, None, None)
    assert stalled.served not in node.hub.clients and stalled.served.streams == {}


# Closing


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"ping"}',
        '{"type":"typing","chatId":"%s"}' % NOBODYS,
        "nonsense",
        b"binary",
        '{"type":"hello","epoch":1}',
    ],
)
@pytest.mark.gen_test
async def test_a_frame_before_hello_and_one_that_breaks_the_contract_are_told_of_and_end_the_socket(
    frame, instance, connect, world
):
    socket = connect(await instance(), await world.user())
    socket.say(frame)
    await socket.until(lambda: socket.client.frames)
    (error,) = socket.client.frames
    assert error["type"] == "error" and error["error"]["code"] == "invalid_value"
    assert socket.code == 4400 and socket.served not in socket.served._node.hub.clients


@pytest.mark.gen_test
async def test_a_second_hello_ends_the_socket_also_while_the_first_is_answered(instance, connect, world):
    node, ada = await instance(), await world.user()
    quick, patient = connect(node, ada), connect(node, ada)
    quick.hello().hello()
    (await patient.hello().synced()).hello()
    for socket in (quick, patient):
        await socket.until(lambda socket=socket: socket.client.of("error"))
        assert socket.code == 4400
    await until(lambda: not node.event_stream.join_buffer.under_way)
    assert not (node.hub.clients or node.hub.users or node.hub.streams)


@pytest.mark.gen_test
async def test_a_ping_is_answered_also_before_synced(instance, connect, world, monkeypatch):
    node = await instance()
    gate = Gate(monkeypatch, "memberships")
    socket = connect(node, await world.user()).hello()
    await gate.reached.wait()
    socket.say({"type": "ping"})
    await socket.until(lambda: socket.client.of("pong"))
    gate.open()
    await socket.synced()


@pytest.mark.gen_test
async def test_frames_that_come_too_fast_end_the_socket_and_a_burst_does_not(instance, connect, world):
    node, ada = await instance(frames_per_second=5), await world.user()
    socket = connect(node, ada).hello()
    for _ in range(9):
        socket.say({"type": "ping"})
    await socket.until(lambda: len(socket.client.of("pong")) == 9)
    assert socket.code is None
    for _ in range(3):
        socket.say({"type": "ping"})
    assert socket.code == 4429


@pytest.mark.gen_test
async def test_a_socket_that_says_no_hello_in_time_is_closed_and_one_that_does_is_not(instance, connect, world):
    node, ada = await instance(hello_seconds=0.1), await world.user()
    mute, polite = connect(node, ada), connect(node, ada)
    await polite.hello().synced()
    await until(lambda: mute.code)
    assert mute.code == 4408
    await asyncio.sleep(0)
    assert polite.code is None


@pytest.mark.gen_test
async def test_a_user_has_so_many_sockets_and_no_more_until_one_ends(instance, connect, world):
    node = await instance(max_sockets_per_user=2)
    ada, bob = await world.users(2)
    sockets = [connect(node, ada) for _ in range(3)]
    assert [socket.code for socket in sockets] == [None, None, 4409]
    assert connect(node, bob).code is None
    sockets[0].leave()
    assert connect(node, ada).code is None
    assert connect(node, ada).code == 4409


@pytest.mark.gen_test
async def test_a_draining_instance_takes_no_socket(instance, connect, world):
    node = await instance()
    node.draining = True
    assert connect(node, await world.user()).code == 1012


@pytest.mark.parametrize("question", ["memberships", "replay"])
@pytest.mark.gen_test
async def test_a_socket_that_the_database_cannot_serve_now_is_told_to_come_back(
    question, instance, connect, world, monkeypatch
):
    ada = await world.user()
    chat_id = await world.group(ada)
    node = await instance()
    first = await connect(node, ada).hello().synced()
    client = first.client
    first.leave()
    await world.send(ada, chat_id)

    async def unavailable(*arguments):
        raise Unavailable("no")

    with monkeypatch.context() as patch:
        patch.setattr(MODULE_OF[question], question, unavailable)
        socket = connect(node, client).hello()
        await until(lambda: socket.code)
        assert socket.code == 1013
    await connect(node, client).hello().synced()
    assert client.cursors == {chat_id: 2}


# Typing


@pytest.mark.gen_test
async def test_typing_is_passed_on_to_the_others_at_most_once_in_three_seconds(instance, connect, world, monkeypatch):
    monkeypatch.setattr(delivery_module.Node, "degraded", False)
    ada, bob, eve = await world.users(3)
    chat_id, other = await world.group(ada, bob), await world.group(ada, eve)
    node = await instance()
    hers, also_hers, his, eves = [await connect(node, user).hello().synced() for user in (ada, ada, bob, eve)]
    for chat in (chat_id, chat_id, other):
        hers.say({"type": "typing", "chatId": chat})
    await his.until(lambda: his.client.of("typing"))
    await eves.until(lambda: eves.client.of("typing"))
    monkeypatch.setattr("realtime.stream.client.TYPING_SECONDS", 0.0)
    hers.say({"type": "typing", "chatId": chat_id})
    await his.until(lambda: len(his.client.of("typing")) == 2)
    assert his.client.of("typing")[0] == {"type": "typing", "chatId": chat_id, "userId": ada}
    assert [frame["chatId"] for frame in eves.client.of("typing")] == [other]
    for socket in (hers, also_hers):
        socket.take()
        assert socket.client.of("typing") == []


@pytest.mark.gen_test
async def test_typing_in_a_chat_that_is_not_ones_own_is_an_error_that_ends_nothing(instance, connect, world):
    ada, bob = await world.users(2)
    foreign = await world.group(bob)
    node = await instance()
    his, hers = [await connect(node, user).hello().synced() for user in (bob, ada)]
    for chat_id in (foreign, NOBODYS):
        hers.say({"type": "typing", "chatId": chat_id})
    await hers.until(lambda: len(hers.client.of("error")) == 2)
    assert {frame["error"]["code"] for frame in hers.client.of("error")} == {"not_found"}
    assert hers.code is None
    his.take()
    assert his.client.of("typing") == []


def test_the_default_channels_are_the_states():
    assert set(DEFAULT) == {"unreadCountUpdated", "messageReadUpdated"}
