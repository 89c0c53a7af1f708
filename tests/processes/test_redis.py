"""Redis dies, hangs, loses and comes back: nobody loses anything, and nobody who sends is kept waiting."""

import asyncio
import time

import pytest
import redis

from tests.client import until

SOON = 1.5  # seconds until the other instances know, while Redis does not carry it


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False)


@pytest.fixture(autouse=True)
def whole_again(parley):
    """Each test begins with a Redis that works, and leaves one."""
    yield
    parley.valkey.thaw()
    parley.valkey.start()
    parley.wait_until_well()


def status(instance) -> str:
    return instance.get("/readyz")[1]["status"]


def links(instance) -> tuple:
    node = instance.get("/healthz")[1]["delivery"]
    return node["publisher"]["state"], node["subscriber"]["state"]


async def until_degraded(parley):
    await until(lambda: all(status(instance) == "degraded" for instance in parley.instances), 8, "degraded")


async def until_whole(parley):
    await until(lambda: all(status(instance) == "ok" for instance in parley.instances), 8, "not degraded any more")


@pytest.mark.gen_test
async def test_while_redis_is_dead_messages_are_accepted_at_once_and_arrive_soon(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    here, there = await party.open(ben, urls[0]), await party.open(ben, urls[1])
    parley.valkey.kill()
    for number in range(5):
        text = f"message {number}"
        answer = await ann.do("POST", f"/api/chats/{chat}/messages", {"content": text})
        answered = time.monotonic()
        assert answer.seconds < 1
        await here.until_at(chat, answer.seq, 0.5)
        await there.until_at(chat, answer.seq, SOON + 1)
        assert there.arrival(text) - answered < SOON
        await there.until(lambda n=number: there.unread.get(chat) == n + 1, SOON, "the count")

    await until_degraded(parley)
    for instance in parley.instances:
        assert instance.get("/readyz")[0] == instance.get("/healthz")[0] == 200
        assert links(instance) == ("reconnecting", "reconnecting")
        health = instance.get("/healthz")[1]
        assert health["status"] == "degraded"
        for role in ("publisher", "subscriber"):
            assert health["delivery"][role]["attempts"] > 0 and health["delivery"][role]["lastError"]

    parley.valkey.start()
    await until_whole(parley)
    for instance in parley.instances:
        assert links(instance) == ("connected", "connected")
        log = "\n".join(instance.log)
        for role in ("publisher", "subscriber"):
            assert f"{role}: lost (" in log and f"{role}: reconnecting, attempt 1 in " in log
            assert log.count(f"{role}: connected") >= 2
    after = await ann.send(chat, "After")
    await there.until_at(chat, after["seq"], 0.5)
    assert there.seqs(chat) == here.seqs(chat) == list(range(2, 8))


@pytest.mark.gen_test
async def test_while_redis_hangs_messages_are_accepted_at_once_and_arrive_soon(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    here, there = await party.open(ben, urls[0]), await party.open(ben, urls[1])
    parley.valkey.freeze()
    first = await ann.do("POST", f"/api/chats/{chat}/messages", {"content": "first"})
    assert first.seconds < 1
    await here.until_at(chat, first.seq, 0.5)
    await there.until_at(chat, first.seq, 3)
    await until_degraded(parley)
    for number in range(3):
        answer = await ann.do("POST", f"/api/chats/{chat}/messages", {"content": f"message {number}"})
        assert answer.seconds < 1
        await here.until_at(chat, answer.seq, 0.5)
        await there.until_at(chat, answer.seq, SOON)
    # Silence is a failure for the connection that asks, and for it alone.
    assert {links(instance) for instance in parley.instances} == {("reconnecting", "connected")}
    parley.valkey.thaw()
    await until_whole(parley)
    after = await ann.send(chat, "After")
    await there.until_at(chat, after["seq"], 0.5)
    assert there.contents(chat) == here.contents(chat) == ["first", "message 0", "message 1", "message 2", "After"]


@pytest.mark.gen_test
async def test_the_last_event_is_not_lost_when_redis_dies_with_it(parley, urls, party):
    """Redis has taken the event and tells nobody any more; when it is back, nothing follows that would show the gap."""
    (ann, ben), chat = await party.group(urls[0], 2)
    there = await party.open(ben, urls[1])
    await ann.send(chat, "before")
    await there.until_at(chat, 2)
    parley.valkey.freeze()
    last = await ann.send(chat, "last")
    parley.valkey.kill()
    parley.valkey.start()
    await there.until_at(chat, last["seq"], 3)
    await there.until(lambda: there.unread.get(chat) == 2, 1, "the count")


@pytest.mark.gen_test
async def test_cut_redis_connections_lose_nothing_while_messages_are_sent(parley, urls, party):
    people, chat = await party.group(urls[0], 4)
    streams = [await party.open(user, at) for user in people for at in urls]
    sent = asyncio.Event()

    async def cut():
        with redis.Redis.from_url(parley.valkey.url) as client:
            kinds = 0
            while not sent.is_set():
                client.execute_command("CLIENT", "KILL", "TYPE", ("pubsub", "normal")[kinds % 2])
                kinds += 1
                await asyncio.sleep(0.05)

    async def write(user, at):
        for number in range(40):
            await user.send(chat, f"{user.name} {number}", at=at)

    cutting = asyncio.ensure_future(cut())
    await asyncio.gather(*(write(user, at) for user, at in zip(people, 2 * urls, strict=True)))
    sent.set()
    await cutting
    for stream in streams:
        await stream.until_at(chat, 161, 5)
        assert stream.log[chat] == streams[0].log[chat]
        unread = (await stream.user.get(f"/api/unread/{chat}"))["unreadCount"]
        await stream.until(lambda s=stream, n=unread: s.unread.get(chat, 0) == n, 5, f"unread count {unread}")
    await until_whole(parley)


@pytest.mark.gen_test
async def test_who_is_removed_while_redis_is_down_gets_nothing_committed_afterwards(parley, urls, party):
    (ann, ben, cid), chat = await party.group(urls[0], 3)
    there, watching = await party.open(ben, urls[1]), await party.open(cid, urls[1])
    parley.valkey.kill()
    before = await ann.send(chat, "before")
    removal = await ann.do("DELETE", f"/api/chats/{chat}/participants/{ben.id}")
    after = await ann.send(chat, "after")
    on_the_same = await cid.send(chat, "on the instance of the removed", at=urls[1])
    await watching.until_at(chat, on_the_same["seq"], SOON)
    await there.until(lambda: there.leaves, SOON, "left")
    parley.valkey.start()
    await until_whole(parley)
    added = await ann.do("POST", f"/api/chats/{chat}/participants", {"userIds": [ben.id]})
    last = await ann.send(chat, "welcome back")
    await there.until_at(chat, last["seq"])
    assert [seq for seq in there.seqs(chat) if removal.seq < seq < added.seq] == []
    assert before["seq"] < removal.seq < after["seq"]
    assert "after" not in there.contents(chat) and there.contents(chat)[-1] == "welcome back"


@pytest.mark.gen_test
async def test_who_is_added_while_redis_is_down_joins_soon(parley, urls, party):
    (ann, ben, cid), _ = await party.group(urls[0], 3)
    there = await party.open(cid, urls[1])
    parley.valkey.kill()
    group = await ann.group(ben)
    await ann.do("POST", f"/api/chats/{group}/participants", {"userIds": [cid.id]})
    new = await ann.group(cid, name="Another")
    await there.until(lambda: {group, new} <= there.cursors.keys(), SOON, "joined")
    message = await ann.send(group)
    await there.until_at(group, message["seq"], SOON)
    await there.until(lambda: there.unread.get(group) == 1, SOON, "the count")


@pytest.mark.gen_test
async def test_watermarks_and_counts_missed_while_redis_was_down_are_told(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    messages = [await ann.send(chat, f"message {number}") for number in range(4)]
    hers, his = await party.open(ann, urls[0]), await party.open(ben, urls[0])
    await his.until(lambda: his.unread.get(chat) == 4)
    parley.valkey.kill()
    await ben.do("PUT", f"/api/messages/{messages[1]['id']}/read", at=urls[1])
    for stream in (hers, his):
        await stream.until(
            lambda s=stream: s.watermarks.get((chat, ben.id)) == messages[1]["seq"], SOON, "the watermark"
        )
    await his.until(lambda: his.unread[chat] == 2, SOON, "the count")

    # And when Redis loses it while nobody has noticed yet
    parley.valkey.start()
    await until_whole(parley)
    parley.valkey.freeze()
    await ben.do("PUT", f"/api/messages/{messages[2]['id']}/read", at=urls[1])
    parley.valkey.kill()
    parley.valkey.start()
    for stream in (hers, his):
        await stream.until(lambda s=stream: s.watermarks[chat, ben.id] == messages[2]["seq"], 3, "the watermark")
    await his.until(lambda: his.unread[chat] == 1, 3, "the count")


@pytest.mark.gen_test
async def test_without_redis_a_sign_out_closes_sockets_of_other_instances_within_5_seconds(parley, urls, party):
    (ann,) = await party.users(urls[0], 1)
    session = await ann.sign_in()
    here, there = await party.open(session, urls[0]), await party.open(session, urls[1])
    parley.valkey.kill()
    assert (await session.request("POST", "/api/sign-out")).status == 204
    await here.until_closed(4401, 1)
    await there.until_closed(4401, 5)


@pytest.mark.gen_test
async def test_an_instance_starts_without_redis_and_uses_it_when_it_comes(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    parley.valkey.kill()
    parley.instances[1].kill()
    await asyncio.to_thread(parley.instances[1].start)
    assert status(parley.instances[1]) == "degraded"
    there = await party.open(ben, urls[1])
    message = await ann.send(chat)
    await there.until_at(chat, message["seq"], SOON)
    parley.valkey.start()
    await until_whole(parley)
    message = await ann.send(chat)
    await there.until_at(chat, message["seq"], 0.5)
