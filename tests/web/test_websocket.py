"""What an open socket holds, that nothing is left of one that has closed, and what a handshake must have."""

import asyncio
import gc
import json
import time
from collections import Counter
from types import CoroutineType, GeneratorType
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.websocket import websocket_connect

from handlers.stream import StreamHandler
from realtime.node import Node
from realtime.stream.client import Client
from realtime.transport.socket_writer import SocketWriter
from realtime.transport.write_queue import WriteQueue
from web import api_handler
from web.api_handler import ApiHandler
from web.request import Request
from web.websocket import WebSocket

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
    "the client is gone within a frame": lambda served, socket: (
        socket.protocol.stream.write(b"\x81\x85\x00"),
        socket.protocol.stream.close(),
    ),
    "the client breaks the protocol": lambda served, socket: socket.protocol.stream.write(b"\x81\x00"),
    "garbage": lambda served, socket: socket.write_message("garbage"),
    "signed out": lambda served, socket: None,
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.gen_test
async def test_nothing_is_left_of_a_socket_that_has_closed_for_a_garbage_collection_to_find(how, roomy, no_collections):
    kinds = WebSocket, Client, SocketWriter, StreamHandler, Request
    client = roomy.user()
    socket = await synced(roomy, client)  # whatever the first one leaves behind
    socket.close()
    await until(lambda: not roomy.node.hub.clients and not alive(WebSocket))
    before = alive(*kinds)
    sockets = [await synced(roomy, client) for _ in range(SOCKETS)]
    assert alive(*kinds)[WebSocket] == before[WebSocket] + SOCKETS
    for socket in sockets:
        ENDS[how](roomy, socket)
    if how == "signed out":
        await asyncio.to_thread(client.post, "/api/sign-out")
    await until(lambda: not roomy.node.hub.clients)
    await until(lambda: alive(*kinds) <= before)


@pytest.mark.gen_test
async def test_an_open_socket_holds_neither_its_handshake_nor_a_task(roomy, no_collections):
    client, kinds = roomy.user(), (StreamHandler, Request, HTTPHeaders, CoroutineType)
    first = await synced(roomy, client)

    async def tasks():
        return len(asyncio.all_tasks())

    ours = alive(StreamHandler)[StreamHandler], await asyncio.to_thread(lambda: roomy.run(tasks()))
    before = alive(*kinds)
    sockets = [await synced(roomy, client) for _ in range(SOCKETS)]
    assert (alive(StreamHandler)[StreamHandler], await asyncio.to_thread(lambda: roomy.run(tasks()))) == ours
    # The client's sockets here have coroutines and headers of their own.
    after = alive(*kinds)
    assert after[Request] == before[Request]
    assert after[CoroutineType] - before[CoroutineType] < 5 * SOCKETS
    for socket in (first, *sockets):
        socket.close()
    await until(lambda: not roomy.node.hub.clients)


@pytest.mark.gen_test
async def test_an_idle_socket_has_no_buffer_no_parser_and_no_dict(roomy, no_collections):
    socket = await synced(roomy, roomy.user())
    await until(lambda: alive(WebSocket)[WebSocket])
    (waiting,) = [one for one in gc.get_objects() if type(one) is WebSocket]
    for one in (waiting, waiting.writer):
        assert not hasattr(one, "__dict__")
        held = {name: getattr(one, name) for name in type(one).__slots__ if name != "beat"}
        assert not [
            name for name, each in held.items() if isinstance(each, bytearray | list | dict | set | GeneratorType)
        ]
    socket.close()
    del waiting, one, held
    await until(lambda: not alive(WebSocket))


# The handshake

HEADERS = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def shaken(served, **changed) -> tuple[int, dict, bytes]:
    """Status, headers and what followed them, of a handshake with these headers changed, or left out where they are None."""
    headers = {**HEADERS, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = ["GET /ws HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(served.url).port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    answer = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
    rest = await reader.readexactly(int(answer.get("Content-Length", 2)))
    writer.close()
    return int(head.split()[1]), answer, rest


@pytest.mark.gen_test
async def test_a_handshake_is_accepted_with_the_key_that_belongs_to_its_own(served):
    status, headers, _ = await shaken(served, Sec_WebSocket_Protocol="other.v9, parley.v1")
    assert status == 101
    assert headers["Sec-Websocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # as RFC 6455 has it
    assert (headers["Upgrade"], headers["Connection"]) == ("websocket", "Upgrade")
    assert headers["Sec-Websocket-Protocol"] == "parley.v1"
    assert "Content-Type" not in headers and "Sec-Websocket-Extensions" not in headers


@pytest.mark.parametrize("offered", [None, "other.v9"])
@pytest.mark.gen_test
async def test_without_a_subprotocol_that_is_known_there_is_none(offered, served):
    status, headers, _ = await shaken(served, Sec_WebSocket_Protocol=offered)
    assert status == 101 and "Sec-Websocket-Protocol" not in headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Upgrade", None),
        ("Upgrade", "h2c"),
        ("Connection", None),
        ("Connection", "keep-alive"),
        ("Sec-WebSocket-Key", None),
        ("Sec-WebSocket-Key", "dG9vIHNob3J0"),
        ("Sec-WebSocket-Key", "no base64"),
        ("Sec-WebSocket-Version", None),
        ("Sec-WebSocket-Version", "8"),
    ],
)
@pytest.mark.gen_test
async def test_a_handshake_that_is_none_is_refused_in_the_error_shape_which_names_the_header(name, value, served):
    status, headers, body = await shaken(served, **{name.replace("-", "_"): value})
    error = json.loads(body)["error"]
    assert (status, error["code"], error["field"]) == (400, "invalid_value", name)
    assert headers["Sec-Websocket-Version"] == "13"


@pytest.mark.gen_test
async def test_frames_that_come_with_the_handshake_are_read(roomy):
    client = roomy.user()
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(roomy.url).port)
    lines = [f"{name}: {value}" for name, value in {**HEADERS, "Authorization": f"Bearer {client.token}"}.items()]
    hello = b'{"type": "hello"}'
    frame = bytes([0x81, 0x80 | len(hello)]) + bytes(4) + hello
    writer.write("\r\n".join(["GET /ws HTTP/1.1", *lines, "", ""]).encode() + frame)
    assert b" 101 " in await reader.readline()
    await asyncio.wait_for(reader.readuntil(b'"synced"'), 10)
    writer.close()
