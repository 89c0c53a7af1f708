"""HTTP connections: the idle ones end, the others do not, whatever they are busy with."""

import asyncio
import socket
import time

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import websocket_connect

from tests.web.echo import Echo
from web.server import Server

IDLE = 0.4
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Answer(RequestHandler):
    def get(self):
        self.finish("yes")

    def post(self):
        self.finish(str(len(self.request.body)))


class Slow(RequestHandler):
    async def get(self):
        await asyncio.sleep(3 * IDLE)
        self.finish("at last")


@pytest.fixture
def server(io_loop):
    server = Server(
        Application([("/", Answer), ("/slow", Slow), ("/ws", Echo)]), idle_seconds=IDLE, max_body_bytes=1000
    )
    yield server
    server.stop()
    server.close_all_connections()


@pytest.fixture
def port(server):
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    return sockets[0].getsockname()[1]


async def closed(reader):
    """Wait until the other side ends the connection; whatever it says before is skipped."""
    await asyncio.wait_for(reader.read(), 10 * IDLE)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", ASK],
    ids=["nothing", "half a request", "half a body", "a whole one"],
)
async def test_a_connection_that_brings_no_more_is_closed(port, said):
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    await closed(reader)
    assert time.monotonic() - began >= IDLE
    writer.close()


@pytest.mark.gen_test
async def test_one_that_goes_on_asking_is_kept(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(6):
        writer.write(ASK)
        assert (await reader.readuntil(b"yes")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(IDLE / 2)
    writer.close()


@pytest.mark.gen_test
async def test_one_that_waits_for_its_answer_is_kept(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASK.replace(b"/ ", b"/slow ", 1))
    assert (await asyncio.wait_for(reader.readuntil(b"at last"), 10)).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.gen_test
async def test_no_answer_waits_for_the_acknowledgement_of_the_last(port, server):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(ASK)
        await reader.readuntil(b"yes")
        (connection,) = server.connections
        assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()


@pytest.mark.gen_test
async def test_a_websocket_is_none_of_them(port):
    client = await websocket_connect(f"ws://127.0.0.1:{port}/ws")
    await asyncio.sleep(3 * IDLE)
    await client.write_message("still here")
    assert await client.read_message() == "still here"
    client.close()


@pytest.mark.gen_test
async def test_nothing_is_remembered_of_connections_that_have_ended(port, server):
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        await reader.readuntil(b"yes")
        assert server.connections
        writer.close()
        await writer.wait_closed()
    while server.connections:
        await asyncio.sleep(0.01)
