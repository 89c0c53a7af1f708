"""With CHANNEL_SCOPE=chat an instance hears only the chats of its sockets; its people notice nothing of it, and nothing is lost."""

import asyncio
import json
import time

import pytest
import redis.asyncio

from chat.channels import CHANNELS, PROJECTIONS
from tests.client import until
from tests.processes.metrics import metrics


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False, env={"CHANNEL_SCOPE": "chat"})


@pytest.fixture(autouse=True)
def whole_again(parley):
    yield
    parley.valkey.start()
    parley.wait_until_well()


async def until_whole(parley):
    await until(
        lambda: all(instance.get("/readyz")[1]["status"] == "ok" for instance in parley.instances),
        10,
        "not degraded any more",
    )


async def events_heard(url) -> dict:
    """How many events of each channel an instance has heard."""
    name = 'parley_events_received_total{channel="%s"}'
    found = await metrics(url)
    return {channel: found[name % channel] for channel in CHANNELS if name % channel in found}


@pytest.mark.gen_test(timeout=60)
async def test_messages_receipts_counts_and_memberships_reach_the_people_of_the_other_instance(parley, urls, party):
    (ann, ben, cid), chat = await party.group(urls[0], 3)
    here, there, his = await party.open(ann, urls[0]), await party.open(ben, urls[1]), await party.open(cid, urls[1])
    first = await ann.send(chat, "first")
    await ann.do("PATCH", f"/api/messages/{first['id']}", {"content": "first, edited"})
    second = await ben.send(chat, "second", at=urls[1])
    third = await ann.send(chat, "third")
    gone = await ann.do("DELETE", f"/api/messages/{third['id']}")
    for stream in (here, there, his):
        await stream.until_at(chat, gone.seq)
    await his.until(lambda: his.unread.get(chat) == 2, 5, "the count")
    await cid.do("PUT", f"/api/messages/{second['id']}/read", at=urls[1])
    await here.until(lambda: here.watermarks.get((chat, cid.id)) == second["seq"], 5, "the watermark")
    await his.until(lambda: his.unread[chat] == 0, 5, "the count")

    new = await ann.group(ben, name="New")
    before = await ann.send(new, "without Cid")
    await ann.do("POST", f"/api/chats/{new}/participants", {"userIds": [cid.id]})
    with_him = await ann.send(new, "with Cid")
    await his.until_at(new, with_him["seq"])
    await there.until_at(new, with_him["seq"])
    assert "without Cid" not in his.contents(new) and before["seq"] == 2
    removed = await ann.do("DELETE", f"/api/chats/{new}/participants/{cid.id}")
    after = await ann.send(new, "without Cid again")
    await there.until_at(new, after["seq"])
    await his.until(lambda: his.leaves, 5, "left")
    assert his.contents(new) == ["with Cid"] and removed.seq == after["seq"] - 1


@pytest.mark.gen_test(timeout=60)
async def test_what_nobody_there_wants_is_not_heard_there(parley, urls, party):
    (ann, ben, cid), chat = await party.group(urls[0], 3)
    others = await ann.group(ben)
    his = await party.open(cid, urls[1])
    await ann.send(chat, "before")
    await his.until_at(chat, 2)
    there = await events_heard(urls[1])
    for number in range(20):
        await ann.send(others, f"message {number}")
    await ann.send(chat, "after")
    await his.until_at(chat, 3)
    await his.until(lambda: his.unread.get(chat) == 2, 5, "the count")
    more = {channel: count - there.get(channel, 0) for channel, count in (await events_heard(urls[1])).items()}
    assert more["messageAdded"] == 1 and more["unreadCountUpdated"] == 2
    assert sum(more.values()) == 3


@pytest.mark.gen_test(timeout=90)
async def test_redis_killed_and_back_nothing_is_lost_doubled_or_out_of_order(parley, urls, party):
    people, chat = await party.group(urls[0], 4)
    streams = [await party.open(user, at) for user in people for at in urls]

    async def write(user, at):
        for number in range(40):
            await user.send(chat, f"{user.name} {number}", at=at)
            await asyncio.sleep(0.02)

    async def hurt():
        for _ in range(2):
            await asyncio.sleep(0.3)
            parley.valkey.kill()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(parley.valkey.start)

    await asyncio.gather(hurt(), *(write(user, at) for user, at in zip(people, 2 * urls, strict=True)))
    for stream in streams:
        await stream.until_at(chat, 161, 10)
        assert stream.seqs(chat) == list(range(2, 162)) and stream.log[chat] == streams[0].log[chat]
        unread = (await stream.user.get(f"/api/unread/{chat}"))["unreadCount"]
        await stream.until(lambda s=stream, n=unread: s.unread.get(chat, 0) == n, 5, f"unread count {unread}")
    await until_whole(parley)
    # And by Redis again, not by the comparison of heads alone
    before = await events_heard(urls[1])
    last = await people[0].send(chat, "last")
    for stream in streams:
        await stream.until_at(chat, last["seq"])
    await until_heard(urls[1], before["messageAdded"] + 1)


async def until_heard(url, count):
    deadline = time.monotonic() + 5
    while (await events_heard(url))["messageAdded"] < count:
        assert time.monotonic() < deadline, "the message was not heard"
        await asyncio.sleep(0.05)


@pytest.mark.gen_test(timeout=30)
async def test_another_program_hears_the_documented_objects_by_pattern(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    client = redis.asyncio.Redis.from_url(parley.valkey.url)
    subscription = client.pubsub(ignore_subscribe_messages=True)
    await subscription.psubscribe("*Added.*", "chat*", "unread*.*", "message*.*")
    await subscription.get_message(timeout=1)
    sent = await ann.send(chat, "Hello")
    heard = {}
    while len(heard) < 4:
        message = await asyncio.wait_for(subscription.get_message(ignore_subscribe_messages=True, timeout=5), 6)
        if message and message["channel"].decode() != f"chatAdded.{chat}":  # which may have been on its way still
            heard[message["channel"].decode()] = json.loads(message["data"])
    assert set(heard) == {f"{channel}.{chat}" for channel in ("messageAdded", "unreadCountUpdated", *PROJECTIONS)}
    assert heard[f"messageAdded.{chat}"]["messageAdded"]["id"] == sent["id"]
    await client.aclose()
