"""A client without WebSockets learns the same from /api/sync, and cursors from before a pruning, a jump or a long absence are reset."""

import asyncio

import pytest

from tests.client import LOGGED, until
from tests.processes.metrics import metrics

LIMIT = 150


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False, env={"REPLAY_LIMIT": str(LIMIT), "REPLAY_PAGE": "20"})


@pytest.mark.gen_test
async def test_polling_tells_what_a_socket_tells(urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    stream, poll = await party.open(ben, urls[0]), ben.poll()
    await poll.sync(at=urls[1])
    for at in urls:
        first = await ann.send(chat, "one", at=at)
        await ann.send(chat, "two", at=at)
        await ann.do("PATCH", f"/api/messages/{first['id']}", {"content": "one, edited"}, at=at)
        await ben.do("PUT", f"/api/messages/{first['id']}/read", at=at)
        await ann.do("PATCH", f"/api/chats/{chat}", {"name": f"By {at}"}, at=at)
        await poll.sync(at=urls[1])
    gone = await ann.send(chat, "gone")
    await ann.do("DELETE", f"/api/messages/{gone['id']}")
    await poll.sync(at=urls[0])
    head = await ann.head(chat)
    await stream.until_at(chat, head)
    assert poll.seqs(chat) == stream.seqs(chat) == list(range(2, head + 1))
    # A replay shows the present, so the contents of what was changed meanwhile differ.
    assert [(seq, channel, data["id"]) for seq, channel, data in poll.log[chat]] == [
        (seq, channel, data["id"]) for seq, channel, data in stream.log[chat]
    ]
    assert poll.log[chat][-2][2]["content"] == "" and poll.log[chat][-1][1] == "messageDeleted"
    await stream.until(lambda: stream.unread[chat] == poll.unread[chat])
    assert stream.watermarks[chat, ben.id] == poll.watermarks[chat, ben.id]


@pytest.mark.gen_test
async def test_polling_tells_of_joining_and_of_leaving(urls, party):
    ann, ben = await party.users(urls[0], 2)
    poll = ben.poll()
    await poll.sync()
    chat = await ann.group(ben)
    await poll.sync(at=urls[1])
    assert poll.cursors[chat] == 1  # a chat without a cursor starts at its head
    await ann.send(chat)
    await poll.sync(at=urls[1])
    assert poll.contents(chat) == ["Hello"]
    await ann.do("DELETE", f"/api/chats/{chat}/participants/{ben.id}")
    await ann.send(chat, "Not for ben")
    await poll.sync(at=urls[1])
    assert [frame["chatId"] for frame in poll.leaves] == [chat]
    assert poll.contents(chat) == ["Hello"]


@pytest.mark.gen_test(timeout=60)
async def test_a_polling_client_misses_nothing_when_its_instance_dies(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    poll = ben.poll()
    await poll.sync(at=urls[1])
    writing = asyncio.ensure_future(_write(ann, chat, 60))
    synced = 0
    while not writing.done():
        try:
            await poll.sync(at=urls[1 - synced % 2])
        except OSError:
            await asyncio.to_thread(parley.instances[1].start)
        synced += 1
        if synced == 5:
            parley.instances[1].kill()
    await asyncio.to_thread(parley.instances[1].start)
    await poll.sync(at=urls[1])
    assert poll.contents(chat) == [f"message {number}" for number in range(60)]


async def _write(user, chat, count):
    for number in range(count):
        await user.send(chat, f"message {number}")


@pytest.mark.gen_test
async def test_a_long_absence_is_replayed_in_pages_and_a_longer_one_is_a_reset(urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    clients = [await party.open(ben, urls[1]), ben.poll()]
    await clients[1].sync()
    before = await metrics(urls[1])

    async def come_back():
        await clients[0].open(urls[1])
        await clients[0].until_synced()
        await clients[1].sync(at=urls[1])

    await clients[0].cut()
    await _write(ann, chat, LIMIT)
    await come_back()
    for client in clients:
        assert client.seqs(chat) == list(range(2, LIMIT + 2)) and not client.resets
        assert client.unread[chat] == LIMIT
    await clients[0].cut()
    await _write(ann, chat, LIMIT + 1)
    await come_back()
    head = await ann.head(chat)
    for client in clients:
        assert client.resets == [{"type": "reset", "chatId": chat, "head": head, "reason": "behind"}]
        assert client.unread[chat] == head - 1
    after = await metrics(urls[1])
    behind = 'parley_resets_total{reason="behind"}'
    assert after[behind] - before.get(behind, 0) == 1
    assert after["parley_replayed_events_total"] - before["parley_replayed_events_total"] == LIMIT
    await ann.send(chat, "live again")
    await clients[0].until(lambda: clients[0].contents(chat)[-1] == "live again")


@pytest.mark.gen_test
async def test_a_cursor_ahead_of_the_chat_is_void(urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    stream, poll = await party.open(ben, urls[1]), ben.poll()
    await poll.sync()
    await stream.cut()
    for client in (stream, poll):
        client.cursors[chat] = 1000
    await stream.open(urls[1])
    await stream.until_synced()
    await poll.sync()
    for client in (stream, poll):
        assert client.resets == [{"type": "reset", "chatId": chat, "head": 1, "reason": "ahead"}]


@pytest.mark.gen_test(timeout=60)
async def test_after_pruning_an_old_cursor_is_reset_and_a_present_one_goes_on(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    old, present = await party.open(ben, urls[0]), await party.open(ann, urls[0])
    await _write(ann, chat, 3)
    await old.until_at(chat, 4)
    await old.cut()
    await ann.send(chat, "missed")
    await present.until_at(chat, 5)
    pruning = parley.instances[1]
    pruning.kill()
    pruning.settings["KEEP_EVENTS_DAYS"] = "0"
    await asyncio.to_thread(pruning.start)
    await until(lambda: _pruned(ben, chat, urls[1]), 5, "everything is pruned")
    pruning.kill()  # or it would go on with what follows
    del pruning.settings["KEEP_EVENTS_DAYS"]
    await asyncio.to_thread(pruning.start)
    await old.open(urls[0])
    await old.until_synced()
    assert old.resets == [{"type": "reset", "chatId": chat, "head": 5, "reason": "floor"}]
    last = await ann.send(chat, "afterwards")
    for stream in (old, present):
        await stream.until_at(chat, last["seq"])
    assert present.seqs(chat) == [2, 3, 4, 5, 6] and not present.resets
    assert len((await ben.get(f"/api/chats/{chat}/messages"))["items"]) == 5, "messages stay"


async def _pruned(user, chat, url):
    poll = user.poll()
    await poll.sync(at=url)
    poll.cursors[chat] = 1
    await poll.sync(at=url)
    return poll.resets


@pytest.mark.gen_test
async def test_many_chats_come_back_at_once_each_with_its_own_events(urls, party):
    ann, ben = await party.users(urls[0], 2)
    chats = [await ann.group(ben, name=f"Chat {number}") for number in range(20)]
    stream = await party.open(ben, urls[1])
    await stream.cut()
    for number in range(3):
        await asyncio.gather(*(ann.send(chat, f"{chat} {number}") for chat in chats))
    await ann.do("DELETE", f"/api/chats/{chats[0]}")
    await stream.open(urls[0])
    await stream.until_synced()
    assert [frame["chatId"] for frame in stream.leaves] == [chats[0]]
    for chat in chats[1:]:
        assert stream.contents(chat) == [f"{chat} {number}" for number in range(3)]
        assert stream.unread[chat] == 3
    assert all(channel in LOGGED for log in stream.log.values() for _, channel, _ in log)
