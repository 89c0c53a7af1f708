"""Whatever dies, and whenever: everybody ends at the head, with everything that was acknowledged, once and in one order."""

import asyncio
import contextlib
import random

import psycopg2
import pytest
import redis

SECONDS = 8  # of one thing dying after the other


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=3, nginx=False)


@pytest.fixture
def urls(parley):
    return [instance.url for instance in parley.instances]


@pytest.mark.gen_test
async def test_an_instance_killed_between_commit_and_publish_leaves_the_message_to_the_others(parley, urls, party):
    """Redis hangs, so that the message is committed and acknowledged and goes no further; then its instance dies, and Redis too."""
    (ann, ben), chat = await party.group(urls[0], 2)
    streams = [await party.open(user, at) for user in (ann, ben) for at in urls[1:]]
    parley.valkey.freeze()
    last = await ann.send(chat, "The last words of web.1")
    parley.instances[0].kill()
    parley.valkey.kill()
    parley.valkey.start()
    for stream in streams:
        await stream.until_at(chat, last["seq"], 3)
    for stream in streams[2:]:
        await stream.until(lambda s=stream: s.unread.get(chat) == 1, 3, "the count")
    await asyncio.to_thread(parley.instances[0].start)
    back = await party.open(ben, urls[0])
    assert back.cursors[chat] == last["seq"]


@pytest.mark.gen_test
async def test_a_frozen_instance_goes_on_where_it_was_when_it_thaws(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    frozen, other = await party.open(ben, urls[1]), await party.open(ben, urls[2])
    parley.instances[1].freeze()
    for number in range(10):
        await ann.send(chat, f"message {number}")
    removal = await ann.do("DELETE", f"/api/chats/{chat}/participants/{ben.id}")
    await ann.send(chat, "not for ben")
    await other.until(lambda: other.leaves)
    parley.instances[1].thaw()
    await frozen.until(lambda: frozen.leaves)
    for stream in (frozen, other):
        assert stream.seqs(chat) == list(range(2, removal.seq + 1))
        assert stream.contents(chat) == [f"message {number}" for number in range(10)]


@pytest.mark.gen_test(timeout=90)
async def test_one_thing_dying_after_the_other_loses_doubles_and_reorders_nothing(parley, urls, party):
    people, chat = await party.group(urls[0], 5)
    ann, *writers = people
    other = await ann.group(*writers, name="Come and go")
    streams = [user.stream() for user in people for _ in range(2)]
    party.track(*streams)
    for stream in streams:
        stream.stay(*urls)
    for stream in streams:
        await stream.until_synced()
    over = asyncio.Event()
    acknowledged, kept = {}, []

    async def write(user):
        number = 0
        while not over.is_set():
            text = f"{user.name} {number}"
            answer = await user.insist("POST", f"/api/chats/{chat}/messages", {"content": text}, at=random.sample(urls, 3))
            acknowledged[answer.seq] = text
            number += 1
            if number % 10 == 0:
                await user.insist("PUT", f"/api/messages/{answer.body['id']}/read", at=random.sample(urls, 3))

    async def come_and_go(user):
        for _ in range(10):
            await ann.insist("DELETE", f"/api/chats/{other}/participants/{user.id}", at=random.sample(urls, 3))
            await ann.insist("POST", f"/api/chats/{other}/participants", {"userIds": [user.id]}, at=random.sample(urls, 3))
        await ann.insist("DELETE", f"/api/chats/{other}/participants/{user.id}", at=random.sample(urls, 3))
        while not over.is_set():
            await ann.insist("POST", f"/api/chats/{other}/messages", {"content": "Secret"}, at=random.sample(urls, 3))

    async def kill(stream):
        what = random.choice(["instance", "instance", "valkey", "pubsub", "frozen valkey", "socket", "postgres connections"])
        kept.append(what)
        if what == "instance":
            instance = random.choice(parley.instances)
            instance.kill()
            await asyncio.to_thread(instance.start)
        elif what == "valkey":
            parley.valkey.kill()
            await asyncio.sleep(random.uniform(0, 0.5))
            parley.valkey.start()
        elif what == "pubsub":
            with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(parley.valkey.url) as client:
                client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        elif what == "frozen valkey":
            parley.valkey.freeze()
            await asyncio.sleep(random.uniform(0, 1))
            parley.valkey.thaw()
        elif what == "socket":
            await stream.cut()
        else:
            _end_connections(parley)

    working = [asyncio.ensure_future(write(user)) for user in writers] + [asyncio.ensure_future(come_and_go(writers[0]))]
    end = asyncio.get_running_loop().time() + SECONDS
    while asyncio.get_running_loop().time() < end:
        await kill(random.choice(streams))
        await asyncio.sleep(random.uniform(0, 0.2))
    over.set()
    await asyncio.gather(*working)

    heads = {chat_id: await ann.insist("GET", f"/api/chats/{chat_id}") for chat_id in (chat, other)}
    for stream in streams:
        for chat_id, view in heads.items():
            if chat_id == other and stream.user is writers[0]:
                await stream.until(lambda s=stream: other not in s.cursors, 10, f"out, after {kept}")
                assert "Secret" not in stream.contents(other)
                continue
            await stream.until(lambda s=stream, c=chat_id, v=view: s.cursors.get(c) == v.body["head"], 10, f"the head, after {kept}")
        assert stream.seqs(chat) == list(range(2, heads[chat].body["head"] + 1))
        assert stream.log[chat] == streams[0].log[chat]
        assert {seq: data["content"] for seq, _, data in stream.log[chat]} == acknowledged
        unread = (await stream.user.insist("GET", f"/api/unread/{chat}")).body["unreadCount"]
        await stream.until(lambda s=stream, n=unread: s.unread.get(chat, 0) == n, 5, f"unread count {unread}, after {kept}")
    marks = {mark["userId"]: mark["seq"] for mark in (await ann.get(f"/api/chats/{chat}"))["watermarks"] if mark["messageId"]}
    for stream in streams:
        await stream.until(lambda s=stream: all(s.watermarks.get((chat, user)) == seq for user, seq in marks.items()), 5, f"{marks} after {kept}")


def _end_connections(parley):
    connection = psycopg2.connect(parley.database)
    try:
        with connection.cursor() as cursor:
            cursor.execute("""select pg_terminate_backend(pid) from pg_stat_activity
                              where datname = current_database() and pid <> pg_backend_pid()""")
    finally:
        connection.close()
