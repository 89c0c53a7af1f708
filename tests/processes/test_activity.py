"""A message's way over three instances, as somebody who watches through one of them is told it; and nothing where nobody watches."""

import asyncio
import contextlib
import json

import pytest
import redis.asyncio
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.client import NO_ANSWER, until
from tests.processes.metrics import metrics

OPEN = {"DEMO": "true"}


class Viewer:
    """Somebody who watches, and every point that they were told: `(instance, point)`."""

    def __init__(self, user):
        self.user = user
        self.points, self.reports, self.instance, self.closed = [], {}, None, None

    async def open(self, at):
        there = HTTPRequest(
            at.replace("http", "ws", 1) + "/ws/activity", headers={"Authorization": f"Bearer {self.user.token}"}
        )
        self._socket = await websocket_connect(there)
        self._task = asyncio.ensure_future(self._read())
        await until(lambda: self.instance, 10, "a welcome")
        return self

    async def _read(self):
        while (text := await self._socket.read_message()) is not None:
            frame = json.loads(text)
            if frame["type"] == "welcome":
                self.instance = frame["instance"]
                continue
            self.points += [(frame["instance"], point) for point in frame["points"]]
            if frame["report"]:
                self.reports[frame["instance"]] = frame["report"]
        self.closed = self._socket.close_code

    def steps(self, chat, seq, channel="messageAdded"):
        """`(instance, step)` of one event."""
        return {
            (instance, point["step"])
            for instance, point in self.points
            if (point["chatId"], point["seq"], point["channel"]) == (chat, seq, channel)
        }

    def sockets(self, chat, seq):
        return sum(
            point["n"]
            for _, point in self.points
            if (point["chatId"], point["seq"], point["channel"], point["step"])
            == (chat, seq, "messageAdded", "delivered")
        )

    async def close(self):
        self._socket.close()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
def watch(io_loop):
    viewers = []

    async def create(user, at, *instances):
        viewers.append(await Viewer(user).open(at))
        await until(lambda: viewers[-1].reports.keys() >= set(instances), 15, "word of all instances")
        return viewers[-1]

    yield create
    for viewer in viewers:
        io_loop.run_sync(viewer.close)


@pytest.mark.gen_test(timeout=90)
async def test_a_messages_whole_way_is_shown_with_all_instances(cluster, party, watch):
    running = cluster(instances=3, nginx=False, env=OPEN)
    urls = [instance.url for instance in running.instances]
    (ann, ben, cleo), chat = await party.group(urls[0], 3)
    for user, url in ((ann, urls[0]), (ben, urls[1]), (ben, urls[1]), (cleo, urls[2])):
        await party.open(user, url)
    viewer = await watch(ann, urls[2], "web.1", "web.2", "web.3")
    message = await ann.send(chat, "A secret", at=urls[1])
    await ben.do("PUT", f"/api/messages/{message['id']}/read", at=urls[0])
    whole = {("web.2", step) for step in ("accepted", "committed", "published", "delivered", "received")} | {
        (name, step) for name in ("web.1", "web.3") for step in ("received", "delivered")
    }
    await until(lambda: viewer.steps(chat, message["seq"]) >= whole, 10, "the whole way")
    await until(
        lambda: ("web.1", "read") in viewer.steps(chat, message["seq"], "messageReadUpdated"), 10, "who read it"
    )
    assert viewer.sockets(chat, message["seq"]) == 4
    for channel in ("chatMessageNotification", "messageUpdateForChatList"):
        assert ("web.2", "published") in viewer.steps(chat, message["seq"], channel)
    told = json.dumps(viewer.points)
    assert "A secret" not in told and ann.id not in told and ben.id not in told


@pytest.mark.gen_test(timeout=90)
async def test_nobody_looking_nothing_is_published(cluster, party, watch):
    running = cluster(instances=2, nginx=False, env=OPEN)
    here, there = (instance.url for instance in running.instances)
    (ann, ben), chat = await party.group(here, 2)
    his = await party.open(ben, there)
    client = redis.asyncio.Redis.from_url(running.valkey.url)
    try:
        listener = client.pubsub(ignore_subscribe_messages=True)
        await listener.subscribe("parley:activity")
        for _ in range(10):
            message = await ann.send(chat)
        await his.until_at(chat, message["seq"])
        await client.publish("parley:activity", "the end")
        first = await until(lambda: listener.get_message(timeout=0.1), 10, "a message")
        assert first["data"] == b"the end"
        # And as soon as somebody looks, both tell.
        viewer = await watch(ann, here, "web.1", "web.2")
        await viewer.close()
        published = 'parley_events_published_total{channel="parley:activity"}'

        async def goes_on():
            before = [(await metrics(url)).get(published, 0) for url in (here, there)]
            await asyncio.sleep(0.5)  # five batches
            return [(await metrics(url)).get(published, 0) for url in (here, there)] != before

        for _ in range(60):
            if not await goes_on():
                break
        else:
            pytest.fail("somebody still tells what nobody asks for")
    finally:
        await client.aclose()


@pytest.mark.gen_test(timeout=120)
async def test_a_killed_instance_falls_silent_and_comes_back_as_another(cluster, party, watch):
    running = cluster(instances=2, nginx=False, env=OPEN)
    here, there = running.instances
    (ann, ben), chat = await party.group(here.url, 2)
    his = party_stream = ben.stream()
    party.track(party_stream)
    his.stay(there.url, here.url)
    await his.until_synced(10)
    viewer = await watch(ann, here.url, "web.1", "web.2")
    with contextlib.suppress(*NO_ANSWER):
        await ann.do("POST", "/api/demo/break", {"what": "kill", "instance": "web.2"}, at=here.url)
    await until(lambda: there.exit_status == -9, 15, "the end of web.2")
    sent = [await ann.send(chat, str(number), at=here.url) for number in range(5)]
    await his.until(lambda: his.cursors.get(chat) == sent[-1]["seq"], 20)
    assert his.contents(chat)[-5:] == [str(number) for number in range(5)]
    del viewer.reports["web.2"]
    there.start()
    await until(lambda: "web.2" in viewer.reports, 15, "word of the new one")


@pytest.mark.gen_test(timeout=120)
async def test_redis_in_disorder_and_paused_nothing_is_lost_and_the_counters_tell(cluster, party, watch):
    running = cluster(instances=2, nginx=False, env=OPEN)
    here, there = (instance.url for instance in running.instances)
    (ann, ben), chat = await party.group(here, 2)
    his = await party.open(ben, there)
    viewer = await watch(ann, here, "web.1", "web.2")
    await ann.do("POST", "/api/demo/break", {"what": "disorder"}, at=there)
    for number in range(40):
        message = await ann.send(chat, str(number), at=here)
    await his.until_at(chat, message["seq"], 20)
    await until(
        lambda: viewer.reports["web.1"]["counts"]["lost"] and viewer.reports["web.2"]["counts"]["repaired"],
        15,
        "what was lost, and repaired",
    )
    await ann.do("POST", "/api/demo/break", {"what": "pauseRedis"}, at=here)
    for number in range(40, 50):
        message = await ann.send(chat, str(number), at=here)
    await his.until_at(chat, message["seq"], 20)
    assert his.contents(chat)[-50:] == [str(number) for number in range(50)]


@pytest.mark.gen_test(timeout=90)
async def test_a_drained_instance_sends_its_viewers_elsewhere(cluster, party, watch):
    running = cluster(instances=2, nginx=False, env=OPEN)
    here, there = running.instances
    (ann, _), _ = await party.group(here.url, 2)
    viewer = await watch(ann, there.url, "web.2")
    there.terminate()
    await until(lambda: viewer.closed, 10, "the close")
    assert viewer.closed == 1012
