"""Whatever dies, and whenever: everybody ends at the head, with everything that was acknowledged, once and in one order."""

import asyncio
import contextlib
import random
import time

import psycopg2
import pytest
import redis

SECONDS = 8  # of one thing dying after the other
SECRET = "Not for those who were removed"


@pytest.fixture(scope="module")
def parley(module_cluster):
    # So few that in one of the chats counts are published, and in the other each instance derives them.
    return module_cluster(instances=3, nginx=False, env={"UNREAD_PUBLISH_LIMIT": "4"})


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


class Faults:
    """One thing after the other that dies, hangs or breaks, and comes back."""

    def __init__(self, parley, streams):
        self._parley, self._streams = parley, streams
        self.struck = []
        self._all = [
            self.instance,
            self.instance,
            self.valkey,
            self.hanging_valkey,
            self.subscriptions,
            self.socket,
            self.database_connections,
        ]

    async def strike(self):
        fault = random.choice(self._all)
        self.struck.append(fault.__name__)
        await fault()

    async def instance(self):
        instance = random.choice(self._parley.instances)
        instance.kill()
        await asyncio.to_thread(instance.start)

    async def valkey(self):
        self._parley.valkey.kill()
        await asyncio.sleep(random.uniform(0, 0.5))
        self._parley.valkey.start()

    async def hanging_valkey(self):
        self._parley.valkey.freeze()
        await asyncio.sleep(random.uniform(0, 1))
        self._parley.valkey.thaw()

    async def subscriptions(self):
        with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(self._parley.valkey.url) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    async def socket(self):
        await random.choice(self._streams).cut()

    async def database_connections(self):
        with contextlib.closing(psycopg2.connect(self._parley.database)) as connection, connection.cursor() as cursor:
            cursor.execute("""select pg_terminate_backend(pid) from pg_stat_activity
                              where datname = current_database() and pid <> pg_backend_pid()""")


class Work:
    """What people do meanwhile, each request at any instance and again until it is answered."""

    def __init__(self, urls, chat):
        self._urls, self._chat = urls, chat
        self.over = False
        self.done = []  # seqs of everything that was acknowledged

    async def ask(self, user, method, path, body=None):
        return await user.insist(method, path, body, at=random.sample(self._urls, len(self._urls)))

    async def talk(self, user):
        mine = []
        while not self.over:
            what = random.choice(["send"] * 6 + ["edit", "delete", "read"])
            if what == "read":
                page = await self.ask(user, "GET", f"/api/chats/{self._chat}/messages?limit=5")
                for message in page.body["items"][-2:]:
                    await self.ask(user, "PUT", f"/api/messages/{message['id']}/read")
                continue
            if what == "send" or not mine:
                answer = await self.ask(
                    user, "POST", f"/api/chats/{self._chat}/messages", {"content": f"{user.name} {len(self.done)}"}
                )
                mine.append(answer.body["id"])
            elif what == "edit":
                answer = await self.ask(
                    user, "PATCH", f"/api/messages/{random.choice(mine)}", {"content": f"{user.name} edits"}
                )
            else:
                answer = await self.ask(user, "DELETE", f"/api/messages/{mine.pop(random.randrange(len(mine)))}")
            self.done.append(answer.seq)

    async def come_and_go(self, owner, user, chat):
        """In and out of another chat, and in the end out of it, where things are said that are not for them."""
        for _ in range(10):
            await self.ask(owner, "DELETE", f"/api/chats/{chat}/participants/{user.id}")
            await self.ask(owner, "POST", f"/api/chats/{chat}/participants", {"userIds": [user.id]})
        await self.ask(owner, "DELETE", f"/api/chats/{chat}/participants/{user.id}")
        while not self.over:
            await self.ask(owner, "POST", f"/api/chats/{chat}/messages", {"content": SECRET})


def as_it_reads(stream, chat) -> dict:
    """The messages that a client shows in the end: id → content, without the deleted ones."""
    shown = {}
    for _, channel, data in stream.log.get(chat, ()):
        if channel == "messageDeleted":
            shown.pop(data["id"], None)
        elif channel.startswith("message") and data["content"]:
            shown[data["id"]] = data["content"]
    return shown


@pytest.mark.gen_test(timeout=90)
async def test_one_thing_dying_after_the_other_loses_doubles_and_reorders_nothing(parley, urls, party):
    people, chat = await party.group(urls[0], 5)
    ann, ben, *_ = people
    other = await ann.group(*people[1:], name="Come and go")
    streams = [user.stream() for user in people for _ in range(2)]
    party.track(*streams)
    for stream in streams:
        stream.stay(*urls)
    for stream in streams:
        await stream.until_synced()

    faults, work = Faults(parley, streams), Work(urls, chat)
    working = [asyncio.ensure_future(work.talk(user)) for user in people[1:]]
    working.append(asyncio.ensure_future(work.come_and_go(ann, ben, other)))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await faults.strike()
    work.over = True
    await asyncio.gather(*working)

    after = f"after {faults.struck}"
    truth = {user: (await work.ask(user, "GET", f"/api/chats/{chat}")).body for user in people}
    marks = {(chat, mark["userId"]): mark["seq"] for mark in truth[ann]["watermarks"] if mark["messageId"]}
    said = await everything_said(ann, chat)
    for stream in streams:
        await stream.until_at(chat, truth[ann]["head"], 10)
        assert stream.seqs(chat) == list(range(2, truth[ann]["head"] + 1)) == sorted(work.done), after
        # Replays show the present, so only in the end must all show the same.
        assert [(seq, data["id"]) for seq, _, data in stream.log[chat]] == [
            (seq, data["id"]) for seq, _, data in streams[0].log[chat]
        ]
        assert as_it_reads(stream, chat) == said, after
        unread = truth[stream.user]["unreadCount"]
        await stream.until(lambda s=stream, n=unread: s.unread.get(chat, 0) == n, 5, f"unread count {unread}, {after}")
        await stream.until(lambda s=stream: marks.items() <= s.watermarks.items(), 5, f"watermarks {marks}, {after}")
        if stream.user is ben:
            await stream.until(lambda s=stream: other not in s.cursors, 5, f"out, {after}")
            assert SECRET not in stream.contents(other), after
        else:
            await stream.until_at(other, await ann.head(other))


async def everything_said(user, chat) -> dict:
    """Every message that is not deleted: id → content."""
    found, path = {}, f"/api/chats/{chat}/messages?limit=100"
    while path:
        page = await user.get(path)
        found |= {message["id"]: message["content"] for message in page["items"] if message["content"]}
        path = page["next"] and f"/api/chats/{chat}/messages?limit=100&before={page['next']}"
    return found
