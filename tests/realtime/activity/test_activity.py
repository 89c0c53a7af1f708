"""What is traced of an event's way, by whom, and for how long; and that nothing is while nobody watches."""

import ast
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
import redis

from chat import messages, reads
from chat.events import Event
from realtime.activity import trace as trace_module
from realtime.activity import viewers
from realtime.activity.trace import Trace, alias
from realtime.bus import envelope
from realtime.bus.channel_names import ACTIVITY, CONTROL
from tests.chat.conftest import key
from tests.realtime.client import Client
from tests.realtime.instances import NEVER, QUICK, command, published
from tests.realtime.sockets import TEXT, Pair, until

ROOT = Path(viewers.__file__).parents[2]
HOOKED = [path for folder in ("realtime", "web", "handlers") for path in (ROOT / folder).rglob("*.py")]


class Viewer:
    """Somebody who watches through `delivery`, and what they were told."""

    def __init__(self, node, session_id=None):
        self.pair = Pair(2**18)
        self.code = None
        self.batches = []
        self.welcome = None
        self.viewer = node.activity.watch(session_id or key(), self.pair.writer, self._close)

    def _close(self, code, reason):
        self.code = code

    def take(self):
        self.pair.take()
        for opcode, payload in self.pair.frames():
            assert opcode == TEXT
            frame = json.loads(payload)
            if frame["type"] == "welcome":
                self.welcome = frame
            else:
                self.batches.append(frame)

    def steps(self, **fields):
        """`(instance, step, channel, n, of)` of every point with these fields."""
        self.take()
        return [
            (batch["instance"], point["step"], point["channel"], point["n"], point["of"])
            for batch in self.batches
            for point in batch["points"]
            if fields.items() <= point.items()
        ]

    def reports(self, instance):
        self.take()
        return [batch["report"] for batch in self.batches if batch["instance"] == instance and batch["report"]]

    def leave(self):
        self.viewer.gone()
        self.pair.close()


@pytest.fixture
def look(io_loop):
    """`look(delivery)` → a `Viewer`, gone at the end of the test."""
    viewers = []

    def create(node, *arguments):
        viewers.append(Viewer(node, *arguments))
        return viewers[-1]

    yield create

    async def leave():
        for viewer in viewers:
            viewer.leave()

    io_loop.run_sync(leave)


@pytest.fixture
def short(monkeypatch):
    """Leases that are over soon."""
    monkeypatch.setattr(viewers, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(viewers, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(viewers, "BATCH_SECONDS", 0.02)
    monkeypatch.setattr(viewers, "REPORT_SECONDS", 0.1)


async def pair(world):
    """Two people, and a chat of them."""
    ann, ben = await world.users(2)
    return ann, ben, await world.group(ann, ben)


async def watched(*nodes):
    for node in nodes:
        await until(lambda node=node: node.event_stream.trace is not None)


@pytest.mark.gen_test
async def test_the_whole_way_of_a_message_over_two_instances(world, healthy, connect, look, short):
    here, there = await healthy()
    ann, ben, chat = await pair(world)
    hers = await connect(here, ann).hello().synced()
    his = await connect(there, Client(ben, channels=["messageReadUpdated", "chatMessageNotification"])).hello().synced()
    viewer = look(there)
    await watched(here, there)
    sent = (await published(here, messages.send(world.db, ann, key(), chat, "A secret", 50))).answer
    of_this = {"chatId": chat, "seq": sent["seq"]}
    expected = {
        ("web.1", "committed", "messageAdded", 1, alias(chat, ann)),
        ("web.1", "published", "messageAdded", 1, None),
        ("web.1", "published", "chatMessageNotification", 1, None),
        ("web.1", "published", "messageUpdateForChatList", 1, None),
        ("web.1", "delivered", "messageAdded", 1, None),
        ("web.1", "received", "messageAdded", 1, "web.1"),
        ("web.2", "received", "messageAdded", 1, "web.1"),
        ("web.2", "received", "chatMessageNotification", 1, "web.1"),
        ("web.2", "delivered", "messageAdded", 1, None),
        ("web.2", "delivered", "chatMessageNotification", 1, None),
    }
    await until(lambda: expected <= set(viewer.steps(**of_this)))
    await published(there, reads.mark(world.db, ben, sent["id"]))
    read = ("web.2", "read", "messageReadUpdated", 1, alias(chat, ben))
    await until(lambda: read in viewer.steps(**of_this))
    # The times are in the order of what happened; never a text, and no user's id.
    at = {
        (batch["instance"], point["step"]): point["at"]
        for batch in viewer.batches
        for point in batch["points"]
        if point["channel"] == "messageAdded"
    }
    assert (
        at["web.1", "committed"] <= at["web.1", "published"]
        and at["web.1", "committed"] <= at["web.2", "received"] <= at["web.2", "delivered"]
    )
    told = json.dumps(viewer.batches)
    assert "A secret" not in told and ann not in told and ben not in told
    hers.take(), his.take()


@pytest.mark.gen_test
async def test_nobody_watching_nothing_is_traced_and_nothing_is_said(world, healthy, connect, server, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a trace was made")

    monkeypatch.setattr(Trace, "__init__", refuse)
    here, there = await healthy()
    ann, ben, chat = await pair(world)
    his = await connect(there, ben).hello().synced()
    with redis.Redis.from_url(server.url) as client, client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(ACTIVITY)
        await until(lambda: command(server, "PUBSUB", "NUMSUB", ACTIVITY)[1] == 3)
        for _ in range(20):
            sent = (await published(here, messages.send(world.db, ann, key(), chat, "Hello", 50))).answer
            await published(there, reads.mark(world.db, ben, sent["id"]))
        await his.until(lambda: his.client.cursors[chat] == sent["seq"])
        command(server, "PUBLISH", ACTIVITY, "the end")
        assert (await until(lambda: listener.get_message()))["data"] == b"the end"
    for node in (here, there):
        assert node.event_stream.trace is node._publisher.trace is node.activity._task is None


def uses_of_a_trace():
    """`(place, whether an `if … is not None` of the same expression stands around it)` of every call of a trace's hook."""

    def visit(node, path, guards):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Compare | ast.BoolOp):
            guards = guards | {
                ast.unparse(test.left)
                for test in ast.walk(node.test)
                if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot)
            }
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func.value)
            if called.endswith(".trace"):
                yield f"{path.name}:{node.lineno}", called in guards
        for child in ast.iter_child_nodes(node):
            yield from visit(child, path, guards)

    for path in HOOKED:
        yield from visit(ast.parse(path.read_text(encoding="utf-8")), path, frozenset())


def test_every_hook_is_one_look_at_none_while_nobody_watches():
    found = dict(uses_of_a_trace())
    assert len(found) >= 11
    assert [place for place, is_guarded in found.items() if not is_guarded] == []


@pytest.mark.gen_test
async def test_the_last_viewer_gone_the_trace_ends_on_every_instance(healthy, look, short):
    here, there = await healthy()
    viewer = look(here)
    await watched(here, there)
    viewer.leave()
    for node in (here, there):
        await until(lambda node=node: node.event_stream.trace is None)
        assert node.activity._task is None


@pytest.mark.gen_test
async def test_without_redis_one_sees_the_own_instance(world, instance, connect, look, short):
    alone = await instance(**QUICK)
    ann, _, chat = await pair(world)
    hers = await connect(alone, ann).hello().synced()
    viewer = look(alone)
    await until(lambda: viewer.reports("web.1"))
    sent = (await published(alone, messages.send(world.db, ann, key(), chat, "Hello", 50))).answer
    await until(lambda: ("web.1", "delivered", "messageAdded", 1, None) in viewer.steps(seq=sent["seq"]))
    assert ("web.1", "untaken", "messageAdded", 1, None) in viewer.steps(seq=sent["seq"])
    assert viewer.reports("web.1")[-1]["publisher"]["state"] == "connecting"
    await until(lambda: viewer.reports("web.1")[-1]["counts"]["lost"] > 0)
    hers.take()


@pytest.mark.gen_test
async def test_a_report_says_how_the_instance_is(healthy, look, connect, world, short):
    here, there = await healthy()
    ann, _, _ = await pair(world)
    hers = await connect(there, ann).hello().synced()
    viewer = look(here)
    assert await until(lambda: viewer.take() or viewer.welcome)
    assert viewer.welcome["instance"] == "web.1" and len(viewer.welcome["channels"]) == 9
    report = (await until(lambda: viewer.reports("web.2")))[0]
    assert (report["sockets"], report["watchedChats"], report["behind"], report["draining"]) == (1, 1, 0, False)
    assert (report["publisher"]["state"], report["subscriber"]["state"], report["canary"]["state"]) == (
        "connected",
        "connected",
        "heard",
    )
    assert report["counts"].keys() == {"heard", "doubled", "reordered", "lost", "repaired"}
    hers.take()


@pytest.mark.parametrize("up", [0.0, 1e6], ids=["a machine that has just started", "one that has been up for long"])
@pytest.mark.gen_test
async def test_who_comes_is_told_at_once_where_all_instances_stand(healthy, look, short, monkeypatch, up):
    began = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: up + time.monotonic() - began, time=time.time)
    monkeypatch.setattr(viewers, "time", clock)
    here, there = await healthy()
    first = look(here)
    await until(lambda: first.reports("web.1") and first.reports("web.2"))
    monkeypatch.setattr(viewers, "REPORT_SECONDS", 1000)
    monkeypatch.setattr(viewers, "RENEW_SECONDS", 1000)
    monkeypatch.setattr(viewers, "LEASE_SECONDS", 1000)
    second = look(here)
    await until(lambda: second.reports("web.1") and second.reports("web.2"))


@pytest.mark.gen_test
async def test_what_redis_lost_doubled_and_reordered_is_counted_and_repaired(
    world, healthy, connect, look, server, short
):
    here, there = await healthy(**NEVER)
    ann, ben, chat = await pair(world)
    his = await connect(there, ben).hello().synced()
    viewer = look(there)
    await watched(here, there)
    outcomes = [await messages.send(world.db, ann, key(), chat, "Hello", 50) for _ in range(4)]
    first, second, third, fourth = (outcome.events[0] for outcome in outcomes)
    for event in (second, second, first, fourth, third):
        command(server, "PUBLISH", event.channel, envelope.encode(event, here.epoch, "web.1"))
    await his.until(lambda: his.client.cursors[chat] == fourth.seq)
    await until(lambda: there.activity.counts["heard"] == 5)
    assert (there.activity.counts["doubled"], there.activity.counts["reordered"]) == (1, 2)
    assert there.activity.counts["repaired"] >= 1
    gap = ("web.2", "gap", "messageAdded", 2, 1)  # twice, one was missing
    await until(lambda: gap in viewer.steps(seq=second.seq) and viewer.steps(step="pulled"))


@pytest.mark.gen_test
async def test_a_viewer_ends_with_the_session_and_with_the_instance(healthy, look, short):
    here, there = await healthy()
    session_id = key()
    signed_out, other, draining = look(here, session_id), look(here), look(there)
    there.session_ended(session_id)
    await until(lambda: signed_out.code)
    assert (signed_out.code, other.code) == (4401, None)
    await there.drain(0.1)
    assert draining.code == 1012 and not there.activity.viewers


@pytest.mark.gen_test
async def test_one_viewer_too_many_is_sent_away(instance, look):
    alone = await instance(activity_viewers=2)
    assert [look(alone).code for _ in range(3)] == [None, None, 4409]


@pytest.mark.gen_test
async def test_a_viewer_who_takes_nothing_misses_something_and_holds_nothing_up(instance, look):
    alone = await instance(socket_buffer_bytes=1000)
    slow = look(alone)
    for _ in range(200):
        slow.viewer.try_send(b"x" * 10_000)
    assert slow.pair.writer.unsent + slow.pair.writer.queued < 20_000 + 2**18


@pytest.mark.parametrize(
    "strange",
    [b"", b"[]", b"{}", b"null", b'{"type": "activity"}', b'{"type": "activity", "instance": 1, "boot": "x"}', b"\xff"],
    ids=repr,
)
@pytest.mark.gen_test
async def test_what_is_no_batch_reaches_no_viewer(instance, look, strange):
    alone = await instance()
    viewer = look(alone)
    alone.inbox.receive(ACTIVITY, strange)
    await asyncio.sleep(0)
    viewer.take()
    assert [batch for batch in viewer.batches if batch["instance"] != "web.1"] == []


@pytest.mark.parametrize("seconds", [None, "6", -1, 0, [], True and float("nan")], ids=repr)
@pytest.mark.gen_test
async def test_a_strange_lease_begins_nothing(instance, seconds):
    alone = await instance()
    alone.inbox.receive(CONTROL, json.dumps({"kind": "activity", "seconds": seconds}).encode())
    assert alone.activity._task is None


# The trace itself, pure


def added(seq, chat="chat"):
    return Event("messageAdded", chat, seq, {"senderId": "ann"})


def test_equal_points_are_one_with_a_number_and_more_than_fit_are_counted():
    trace = Trace("web.1", Counter())
    for _ in range(14):
        trace.delivered("unreadCountUpdated", added(1), 1)
    (point,), left_out = trace.take()
    assert (point["n"], left_out) == (14, 0)
    for seq in range(trace_module.MOST_POINTS + 5):
        trace.delivered("messageAdded", added(seq), 2)
    points, left_out = trace.take()
    assert (len(points), left_out) == (trace_module.MOST_POINTS, 5)
    assert trace.take() == ([], 0)


def test_an_old_event_is_forgotten_so_that_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(trace_module, "REMEMBERED", 10)
    trace = Trace("web.1", Counter())
    for seq in range(50):
        trace.received(added(seq, chat=f"chat {seq}"), "web.2")
    assert len(trace._heard) == 10 and len(trace._newest) <= 11
    assert trace.counts["doubled"] == 0


def test_a_request_is_accepted_before_its_commit():
    trace = Trace("web.1", Counter())
    trace.accepted([added(1)], 0.25)
    trace.committed([added(1)])
    accepted, committed = trace.take()[0]
    assert 240 < committed["at"] - accepted["at"] < 1000


def test_what_redis_took_is_read_from_the_envelope():
    trace = Trace("web.1", Counter())
    batch = [("messageAdded", envelope.encode(added(7), "epoch", "web.1")), (CONTROL, orjson.dumps({"kind": "canary"}))]
    trace.published(batch, True)
    trace.published(batch, False)
    assert [(point["step"], point["seq"]) for point in trace.take()[0]] == [("published", 7), ("untaken", 7)]
    assert trace.counts["lost"] == 1
