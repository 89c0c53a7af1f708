"""What an open socket holds, that nothing is left of one that has closed, and who is pinged when."""

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from types import CoroutineType, SimpleNamespace

import pytest
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import websocket_connect

from handlers.stream import Listener, StreamHandler
from realtime.node import Node
from realtime.stream.client import Client
from realtime.transport.socket_writer import SocketWriter, Stream, WriteQueue
from web import api_handler
from web.api_handler import ApiHandler
from web.websocket import Pings, Protocol

SOCKETS = 20


def alive(*kinds) -> Counter:
    """How many objects there are of exactly these types."""
    return Counter(type(one) for one in gc.get_objects() if type(one) in kinds)


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)
    return found


async def synced(served, client):
    socket = await websocket_connect(
        HTTPRequest(served.url.replace("http", "ws") + "/ws", headers={"Authorization": f"Bearer {client.token}"}),
        subprotocols=["parley.v1"],
    )
    socket.write_message('{"type": "hello"}')
    while json.loads(await socket.read_message())["type"] != "synced":
        pass
    return socket


@pytest.fixture
def no_collections():
    """What is not freed by its reference counts stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module")
def roomy(serve):
    return serve(MAX_SOCKETS_PER_USER="1000")


@pytest.mark.parametrize(("few", "first"), [(2, "sockets"), (1, "answer")])
@pytest.mark.gen_test
async def test_a_few_sockets_have_a_message_before_its_answer_leaves_and_many_wait_for_nobody(
    few, first, served, monkeypatch
):
    ada, bob = served.user(), served.user()
    chat_id = ada.chat(bob)
    sockets = [await synced(served, bob) for _ in range(2)]
    monkeypatch.setattr(api_handler, "FEW_SOCKETS", few)
    order = []
    for where, name, what in (
        (Node, "publish", "commit"),
        (WriteQueue, "flush", "sockets"),
        (ApiHandler, "answer_json", "answer"),
    ):
        real = getattr(where, name)
        monkeypatch.setattr(where, name, lambda *given, real=real, what=what: (order.append(what), real(*given))[1])
    await asyncio.get_running_loop().run_in_executor(None, ada.say, chat_id)
    assert order[order.index("commit") + 1] == first
    for socket in sockets:
        assert json.loads(await socket.read_message())["channel"] == "messageAdded"
        socket.close()


ENDS = {
    "the client closes": lambda served, socket: socket.close(1000),
    "the client is gone": lambda served, socket: socket.protocol.stream.close(),
    "the client breaks the protocol": lambda served, socket: socket.protocol.stream.write(b"\x81\x00"),
    "garbage": lambda served, socket: socket.write_message("garbage"),
    "signed out": lambda served, socket: None,
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.gen_test
async def test_nothing_is_left_of_a_socket_that_has_closed_for_a_garbage_collection_to_find(how, roomy, no_collections):
    kinds = Protocol, Listener, Client, SocketWriter, StreamHandler, HTTPServerRequest
    client = roomy.user()
    socket = await synced(roomy, client)  # whatever the first one leaves behind
    socket.close()
    await until(lambda: not roomy.node.hub.clients)
    before = alive(*kinds)
    sockets = [await synced(roomy, client) for _ in range(SOCKETS)]
    assert alive(*kinds)[Protocol] == before[Protocol] + SOCKETS
    for socket in sockets:
        ENDS[how](roomy, socket)
    if how == "signed out":
        await asyncio.to_thread(client.post, "/api/sign-out")
    await until(lambda: not roomy.node.hub.clients)
    await until(lambda: alive(*kinds) <= before)


@pytest.mark.gen_test
async def test_an_open_socket_holds_neither_its_handshake_nor_a_task(roomy, no_collections):
    client, kinds = roomy.user(), (StreamHandler, HTTPServerRequest, HTTPHeaders, CoroutineType)
    first = await synced(roomy, client)

    async def tasks():
        return len(asyncio.all_tasks())

    ours = alive(StreamHandler)[StreamHandler], await asyncio.to_thread(lambda: roomy.run(tasks()))
    before = alive(*kinds)
    sockets = [await synced(roomy, client) for _ in range(SOCKETS)]
    assert (alive(StreamHandler)[StreamHandler], await asyncio.to_thread(lambda: roomy.run(tasks()))) == ours
    # The client's sockets here have coroutines and headers of their own.
    after = alive(*kinds)
    assert after[HTTPServerRequest] == before[HTTPServerRequest]
    assert after[CoroutineType] - before[CoroutineType] < 5 * SOCKETS
    for socket in (first, *sockets):
        socket.close()
    await until(lambda: not roomy.node.hub.clients)


@pytest.mark.gen_test
async def test_an_idle_socket_has_no_large_dict_and_no_deque(roomy):
    """The two that cost most where Tornado's classes get more attributes than CPython keeps without a dict."""
    socket = await synced(roomy, roomy.user())
    (protocol,) = [one for one in gc.get_objects() if type(one) is Protocol and not one.client_terminated]
    stream = protocol.stream
    assert type(stream) is Stream
    for one in (protocol, stream):
        assert len(vars(one)) <= 30
    assert sum(map(sys.getsizeof, (stream._write_futures, stream._write_buffer._buffers))) < 200
    socket.close()


# Pings


class Pinged(SimpleNamespace):
    __hash__ = object.__hash__

    def __init__(self, pings, answers=True, gone=False):
        super().__init__(
            pings=pings, answers=answers, gone=gone, pinged=[], dropped_at=None, pinged_with=None, _received_pong=False
        )

    def write_ping(self, data):
        self.pinged.append(time.monotonic())
        if self.gone:
            raise StreamClosedError
        self._received_pong = self.answers

    def _abort(self):
        self.dropped_at = time.monotonic()
        self.pings.discard(self)


@pytest.mark.gen_test
async def test_who_answers_is_pinged_each_interval_and_who_does_not_is_dropped_after_one():
    pings, began = Pings(0.5), time.monotonic()
    lively, silent = Pinged(pings), Pinged(pings, answers=False)
    for each in (lively, silent):
        pings.add(each)
    await until(lambda: silent.dropped_at and len(lively.pinged) >= 3)
    assert len(silent.pinged) == 1 and lively.dropped_at is None
    for earlier, later in zip((began, *lively.pinged), lively.pinged, strict=False):
        assert later - earlier > 0.4
    pings.discard(lively)


@pytest.mark.gen_test
async def test_one_that_is_just_gone_keeps_no_other_from_its_ping():
    pings = Pings(0.1)
    gone, there = Pinged(pings, gone=True), Pinged(pings)
    for each in (gone, there):
        pings.add(each)
    await until(lambda: len(there.pinged) > 2 and gone.pinged)
    for each in (gone, there):
        pings.discard(each)


@pytest.mark.gen_test
async def test_many_that_come_over_a_while_are_not_pinged_all_at_once():
    pings = Pings(0.5)
    many = [Pinged(pings) for _ in range(10)]
    for each in many:
        pings.add(each)
        await asyncio.sleep(0.02)
    await until(lambda: all(each.pinged for each in many))
    assert many[-1].pinged[0] - many[0].pinged[0] > 0.05
    for each in many:
        pings.discard(each)


@pytest.mark.gen_test
async def test_without_an_interval_nobody_is_pinged_and_without_sockets_no_timer_runs():
    off = Pings(0)
    off.add(one := Pinged(off))
    assert one.pinged_with is None and off._timer is None
    pings = Pings(0.1)
    pings.add(one := Pinged(pings))
    pings.discard(one)
    await until(lambda: pings._timer is None)
    assert not one.pinged
