"""HTTP/1.1 on a socket: which requests a handler sees, which never reach one, and what becomes of the connection."""

import asyncio
import gc
import json
import logging
import socket
import struct
import time
import weakref
from collections import namedtuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tests.web.echo import Echo
from web.server import Server

MAX_BODY = 60_000
SECONDS = 10  # that anything may take
BIG = 20 * 1024 * 1024

Said = namedtuple("Said", "status headers body")
Seen = namedtuple("Seen", "method uri headers body")


class Handler(RequestHandler):
    def prepare(self):
        self.set_header("Server", "test")
        request = self.request
        self.settings["seen"].append(Seen(request.method, request.uri, dict(request.headers), request.body))

    def get(self):
        self.finish(self.request.path)

    head = post = get


class Slow(Handler):
    async def get(self):
        await self.settings["gate"].wait()
        self.finish("slow")


class Status(Handler):
    def get(self, status):
        self.set_status(int(status))

    head = get


class Parts(Handler):
    async def get(self):
        for part in ("one", "two", "three"):
            self.write(part)
            await self.flush()


class LateParts(Parts):
    async def get(self):
        await self.settings["gate"].wait()
        await super().get()


class Large(Handler):
    def get(self):
        self.finish(b"x" * BIG)


class LargeParts(Handler):
    async def get(self):
        for _ in range(BIG // 1024**2):
            self.write(b"x" * 1024**2)
            self.flush()
            self.write(b"y")
            await self.flush()


class Closing(Handler):
    def get(self):
        self.set_header("Connection", "close")


class Failing(Handler):
    async def get(self):
        self.set_header("Content-Length", "10")
        self.write("abc")
        await self.flush()
        raise RuntimeError("in the middle")


class Bodiless(Handler):
    async def get(self):
        self.set_status(204)
        self.write("HTTP/1.1 200 OK\r\n\r\n")
        await self.flush()


class Broken(Handler):
    def initialize(self):
        raise RuntimeError("not made")


class Header(Handler):
    def get(self):
        self._headers._as_list["X-Said"] = [self.settings["header"]]


class LateEcho(Handler, Echo):
    get = Echo.get

    async def prepare(self):
        super().prepare()
        await self.settings["gate"].wait()


class Client:
    """One connection, and what comes back on it."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.say = reader, writer, writer.write
        writer.transport.set_write_buffer_limits(0)  # so that `drain` waits for all

    async def answer(self, to="GET") -> Said:
        return await asyncio.wait_for(self._answer(to), SECONDS)

    async def _answer(self, to):
        line, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(line.split()[1])
        if to == "HEAD" or status < 200 or status in (204, 304):
            body = b""
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif "transfer-encoding" in headers:
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
        else:
            body = await self.reader.read()
        return Said(status, headers, body)

    async def refusal(self):
        """The answer's status and code, and nothing after it but the end of the connection."""
        said = await self.answer()
        error = json.loads(said.body)["error"]
        assert set(error) == {"code", "message", "field"} and said.headers["connection"] == "close"
        assert await self.rest() == b""
        return said.status, error["code"]

    async def read(self, count) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), SECONDS)

    async def rest(self) -> bytes:
        """All that still comes. The other side ends it."""
        return await asyncio.wait_for(self.reader.read(), SECONDS)

    async def goes_on(self):
        self.say(get("/goes-on"))
        assert (await self.answer())[::2] == (200, b"/goes-on")

    def reset(self):
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


UPGRADE = "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"


def get(path="/", *lines, method="GET", version="1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()


AFTER = get("/after")


def post(body: bytes, *lines, path="/") -> bytes:
    return get(path, f"Content-Length: {len(body)}", *lines, method="POST") + body


def chunked(*parts, trailers=(), lines=(), path="/") -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return (
        get(path, "Transfer-Encoding: chunked", *lines, method="POST")
        + chunks
        + "\r\n".join(["0", *trailers, "", ""]).encode()
    )


async def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.002)


@pytest.fixture
def application():
    application = Application(
        [
            ("/slow", Slow),
            (r"/status/(\d+)", Status),
            ("/parts", Parts),
            ("/late-parts", LateParts),
            ("/large", Large),
            ("/large-parts", LargeParts),
            ("/closing", Closing),
            ("/failing", Failing),
            ("/bodiless", Bodiless),
            ("/broken", Broken),
            ("/header", Header),
            ("/ws", LateEcho),
            ("/.*", Handler),
        ],
        log_function=lambda handler: None,
        seen=[],
        gate=asyncio.Event(),
        header="",
    )
    return application


@pytest.fixture
def seen(application):
    return application.settings["seen"]


@pytest.fixture
def gate(application):
    return application.settings["gate"]


@pytest.fixture
def serve(io_loop, application):
    """`serve(idle_seconds)` → a server and its port."""
    servers = []

    def start(idle_seconds=60):
        servers.append(Server(application, idle_seconds=idle_seconds, max_body_bytes=MAX_BODY))
        sockets = bind_sockets(0, "127.0.0.1")
        servers[-1].add_sockets(sockets)
        return servers[-1], sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.stop()
        server.close_all_connections()


@pytest.fixture
def served(serve):
    return serve()


@pytest.fixture
def server(served):
    return served[0]


@pytest.fixture
def connect(served):
    async def connect():
        return Client(*await asyncio.open_connection("127.0.0.1", served[1]))

    return connect


def uris(seen):
    return [request.uri for request in seen]


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


# What arrives


@pytest.mark.gen_test
async def test_two_requests_in_one_write_are_answered_in_order(connect):
    client = await connect()
    client.say(get("/1") + get("/2"))
    assert [(await client.answer()).body for _ in range(2)] == [b"/1", b"/2"]


@pytest.mark.gen_test
async def test_a_fast_answer_waits_for_the_slow_one_before_it(connect, seen, gate):
    client = await connect()
    client.say(get("/slow") + get("/fast") + get("/slow") + get("/last"))
    await until(lambda: seen)
    client.say(get("/later"))
    assert uris(seen) == ["/slow"]
    gate.set()
    assert [(await client.answer()).body for _ in range(5)] == [b"slow", b"/fast", b"slow", b"/last", b"/later"]


@pytest.mark.gen_test
async def test_nothing_more_is_taken_from_a_client_before_its_answer_is_out(connect, seen, gate):
    client = await connect()
    client.say(get("/slow"))
    await until(lambda: seen)
    client.say(AFTER * (BIG // len(AFTER)))
    for _ in range(20):
        await (await connect()).goes_on()
    assert client.writer.transport.get_write_buffer_size() > BIG // 2
    client.reset()
    gate.set()


@pytest.mark.gen_test
async def test_a_request_may_come_byte_by_byte(connect, seen):
    client = await connect()
    for byte in chunked(b"hello", b"you"):
        client.say(bytes([byte]))
        await asyncio.sleep(0)
    assert (await client.answer()).status == 200
    assert [request.body for request in seen] == [b"helloyou"]


def as_get(body, *lines, path):
    return b"\r\n" + get(path, *lines)


def as_chunks(body, *lines, path):
    return chunked(
        *[body[start : start + 7] for start in range(0, len(body), 7)],
        trailers=("X-Number: none",),
        lines=lines,
        path=path,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    forms=st.lists(
        st.tuples(st.sampled_from([as_get, post, as_chunks]), st.binary(max_size=50), st.sampled_from([(), UPGRADE])),
        max_size=5,
    ),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
def test_it_does_not_matter_how_requests_are_cut_into_packets(io_loop, connect, seen, forms, cuts):
    said = b"".join(
        form(body, f"X-Number: {number}", *lines, path=f"/{number}") for number, (form, body, lines) in enumerate(forms)
    )
    cuts = [0, *sorted(cuts), len(said)]

    async def check():
        seen.clear()
        client = await connect()
        for start, end in zip(cuts, cuts[1:], strict=False):
            client.say(said[start:end])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        for number in range(len(forms)):
            assert (await client.answer())[::2] == (200, b"/%d" % number)
        client.writer.close()

    io_loop.run_sync(check)
    assert [(one.method, one.uri, one.headers["x-number"], one.body) for one in seen] == [
        ("GET", f"/{number}", str(number), b"") if form is as_get else ("POST", f"/{number}", str(number), body)
        for number, (form, body, _) in enumerate(forms)
    ]


@pytest.mark.gen_test
async def test_many_requests_in_a_row_are_not_taken_for_one_that_is_too_large(connect, seen):
    client = await connect()
    client.say(b"".join(post(b"x" * 997, path=f"/{number}") for number in range(300)))
    for number in range(300):
        assert (await client.answer())[::2] == (200, b"/%d" % number)


@pytest.mark.gen_test
async def test_a_head_that_begins_behind_a_large_body_is_not_taken_for_part_of_it(connect, seen):
    client = await connect()
    request = post(b"x" * MAX_BODY)
    client.say(request[:40_000])
    await asyncio.sleep(0)
    client.say(request[40_000:] + get("/" + "y" * 30_000)[:-1])
    assert (await client.answer()).status == 200
    client.say(b"\n")
    assert (await client.answer()).status == 200


@pytest.mark.gen_test
async def test_trailers_are_no_headers(connect, seen):
    client = await connect()
    client.say(
        chunked(
            b"hello",
            trailers=("Authorization: Bearer x", "Content-Type: evil/x", "Host: evil", "X-More: y"),
            lines=("Content-Type: text/plain",),
        )
    )
    await client.answer()
    await client.goes_on()
    assert seen[0].headers == {"host": "x", "transfer-encoding": "chunked", "content-type": "text/plain"}


@pytest.mark.gen_test
async def test_a_header_keeps_all_its_bytes_but_the_space_around_it(connect, seen):
    client = await connect()
    client.say(b"GET / HTTP/1.1\r\nHOST: x\r\nX-A: \t voil\xc3\xa0 \t\r\nX-B:\r\nx-c: 1\r\nX-C: 2\r\n\r\n")
    await client.answer()
    assert seen[0].headers == {"host": "x", "x-a": b"voil\xc3\xa0".decode("latin1"), "x-b": "", "x-c": "1,2"}


# What is refused


@pytest.mark.parametrize(
    "text",
    [
        get("/", "Content-Length: 5", "Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", "Content-Length: 5", method="POST") + b"0\r\n\r\n",
        get("/", "Content-Length: 5", "Content-Length: 6", method="POST") + b"hello",
        get("/", "Content-Length: 5", "Content-Length: 5", method="POST") + b"hello",
        get("/", "Content-Length: 5, 5", method="POST") + b"hello",
        get("/", "Content-Length: +5", method="POST") + b"hello",
        get("/", "Content-Length:", method="POST") + b"hello",
        get("/", "Content-Length : 5", method="POST") + b"hello",
        get("/", "Transfer-Encoding : chunked", method="POST") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: identity", method="POST"),
        get("/", "Transfer-Encoding: xchunked", method="POST") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: gzip, chunked", method="POST") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", "Transfer-Encoding: identity", method="POST") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", "Connection: keep-alive", method="POST", version="1.0") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", method="POST") + b"0x5\r\nhello\r\n0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", method="POST") + b"5\nhello\r\n0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhelloXX0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", method="POST") + b"fffffffffffffffff\r\n",
        get("/", "Transfer-Encoding: chunked", method="POST") + b"0\r\nA: b\n\r\n",
        get("/", "A: b\n"),
        get("/").replace(b"\r\n", b"\n"),
        get("/", "A: b\r\n c"),
        get("/", " A: b"),
        get("/", "A: b\rC: d"),
        get("/", "A: b\0"),
        get("/", "A b"),
        get("/", ": b"),
        get("/ x"),
        get("/\t"),
        get("/", version="1.1 "),
        get("/", version="0.9"),
        get("/", version="2.0"),
        get("/", version="9.9"),
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        get("x:1", "Content-Length: 5", method="CONNECT") + b"hello",
    ],
    ids=lambda text: repr(text[:70]),
)
@pytest.mark.gen_test
async def test_what_is_no_http_is_refused_and_nothing_behind_it_is_a_request(connect, seen, text):
    client = await connect()
    client.say(text + AFTER)
    assert await client.refusal() == (400, "invalid_http")
    assert not seen


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Host: a", "Host: b"],
        ["Host: a", "Host: a"],
        ["Host: a b"],
        ["Host: a/b"],
        ["Host: a@b"],
        ["Host: a,b"],
        ["Host: %zz"],
        ["Host: ä"],
    ],
)
@pytest.mark.gen_test
async def test_a_request_without_exactly_one_host_is_refused(connect, seen, lines):
    client = await connect()
    client.say("\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode() + AFTER)
    assert await client.refusal() == (400, "invalid_http")
    assert not seen


@pytest.mark.gen_test
async def test_what_comes_before_the_refused_is_answered_first(connect, seen, gate):
    client = await connect()
    client.say(get("/slow") + get("/1") + b"nonsense\r\n\r\n" + AFTER)
    await until(lambda: seen)
    gate.set()
    assert [(await client.answer()).body for _ in range(2)] == [b"slow", b"/1"]
    assert await client.refusal() == (501, "method_unknown")
    assert uris(seen) == ["/slow", "/1"]


@pytest.mark.gen_test
async def test_a_method_that_nobody_knows_is_refused(connect, seen):
    client = await connect()
    client.say(get("/", method="BREW") + AFTER)
    assert await client.refusal() == (501, "method_unknown")
    assert not seen


@pytest.mark.parametrize("more", [0, 30_000, 2 * 1024 * 1024])
@pytest.mark.parametrize(
    "head", [lambda size: get("/" + "x" * size), lambda size: get("/", "A: " + "x" * size)], ids=["target", "header"]
)
@pytest.mark.gen_test
async def test_a_head_of_more_than_64_kib_is_refused(connect, server, seen, head, more):
    client = await connect()
    size = 65536 - len(head(0))
    client.say(head(size))
    assert (await client.answer()).status == 200
    (connection,) = server.connections
    client.say(head(size + 1 + more)[:40_000])
    await until(lambda: connection._bytes)
    client.say(head(size + 1 + more)[40_000:])
    await client.writer.drain()
    assert await client.refusal() == (431, "head_too_large")
    assert len(seen) == len(server.connections) == 1


def announced(size):
    return get("/", f"Content-Length: {size}", method="POST") + b"x" * size


def in_chunks(size):
    return chunked(*[b"x" * min(50_000, size - start) for start in range(0, size, 50_000)])


@pytest.mark.parametrize("more", [1, 2 * 1024 * 1024])
@pytest.mark.parametrize("request_of", [announced, in_chunks])
@pytest.mark.gen_test
async def test_a_body_that_is_too_large_is_refused_to_a_client_that_is_still_sending_it(
    connect, server, seen, request_of, more
):
    client = await connect()
    client.say(request_of(MAX_BODY))
    assert (await client.answer()).status == 200
    client.say(request_of(MAX_BODY + more))
    await client.writer.drain()
    assert await client.refusal() == (413, "body_too_large")
    assert len(seen) == len(server.connections) == 1
    client.writer.close()
    await until(lambda: not server.connections)


@pytest.mark.parametrize(
    "endless",
    [
        b"0\r\n" + b"A: b\r\n" * 100_000,
        b"0\r\nA: " + b"b" * 1_000_000,
        b"5;" + b"a" * 1_000_000,
        b"1;a=b\r\nx\r\n" * 50_000,
    ],
    ids=lambda endless: repr(endless[:12]),
)
@pytest.mark.gen_test
async def test_what_surrounds_chunks_is_bounded(connect, seen, endless):
    client = await connect()
    client.say(get("/", "Transfer-Encoding: chunked", method="POST") + endless)
    await client.writer.drain()
    assert await client.refusal() == (413, "body_too_large")
    assert not seen


@pytest.mark.gen_test
async def test_a_refused_client_that_never_stops_is_cut_off(connect, server):
    client = await connect()
    client.say(b"nonsense\r\n\r\n")
    assert await client.refusal() == (501, "method_unknown")
    with pytest.raises(ConnectionError):
        for _ in range(100):
            client.say(b"x" * 1024**2)
            await client.writer.drain()
    assert not server.connections


# How long a connection lasts


@pytest.mark.parametrize(
    "request_, goes_on",
    [
        (get(), True),
        (get("/", "Connection: close"), False),
        (get("/", "Connection: foo, Close"), False),
        (get("/", version="1.0"), False),
        (get("/", "Connection: keep-alive", version="1.0"), True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (get("/closing"), False),
        (get("/closing", "Connection: keep-alive", version="1.0"), False),
        (get("/", method="HEAD"), True),
        (get("/status/204"), True),
        (get("/status/304"), True),
        (get("/parts"), True),
        (get("/parts", "Connection: keep-alive", version="1.0"), False),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else str(value),
)
@pytest.mark.gen_test
async def test_a_connection_goes_on_unless_one_side_says_otherwise(connect, server, request_, goes_on):
    client = await connect()
    client.say(request_)
    said = await client.answer(request_.split()[0].decode())
    if goes_on:
        assert said.headers.get("connection") == ("keep-alive" if b"HTTP/1.0" in request_ else None)
        await client.goes_on()
    else:
        assert said.headers["connection"] == "close"
        assert await client.rest() == b""
        client.writer.close()
        await until(lambda: not server.connections)


@pytest.mark.gen_test
async def test_the_last_answer_is_not_taken_back_from_a_client_that_is_still_sending(connect, server):
    client = await connect()
    client.say(get("/large", "Connection: close") + b"x" * 1024**2)
    assert len((await client.answer()).body) == BIG
    client.say(b"x" * 1024**2)
    assert await client.rest() == b""
    client.writer.close()
    await until(lambda: not server.connections)


@pytest.mark.gen_test
async def test_nothing_is_begun_with_behind_the_request_that_ends_a_connection(connect, seen):
    for path, *lines in (("/", "Connection: close"), ("/closing",)):
        client = await connect()
        client.say(get(path, *lines) + AFTER)
        await client.answer()
        assert await client.rest() == b""
    assert uris(seen) == ["/", "/closing"]


@pytest.mark.parametrize(
    "request_", [get("/status/204"), get("/status/304"), get("/a", method="HEAD"), get("/parts", method="HEAD")]
)
@pytest.mark.gen_test
async def test_an_answer_without_a_body_has_none(connect, request_):
    client = await connect()
    client.say(request_ + get("/next"))
    await client.answer("HEAD")
    assert (await client.answer())[::2] == (200, b"/next")


@pytest.mark.gen_test
async def test_head_tells_the_length_of_the_body(connect):
    client = await connect()
    client.say(get("/12345", method="HEAD"))
    assert (await client.answer("HEAD")).headers["content-length"] == "6"


@pytest.mark.gen_test
async def test_an_answer_of_unknown_length_comes_in_chunks_or_until_the_end(connect):
    client = await connect()
    client.say(get("/parts") + get("/parts", version="1.0"))
    said = await client.answer()
    assert (said.headers["transfer-encoding"], said.body) == ("chunked", b"onetwothree")
    said = await client.answer()
    assert "transfer-encoding" not in said.headers and said.body == b"onetwothree"


@pytest.mark.parametrize("path, came", [("/failing", b"abc"), ("/bodiless", b"")])
@pytest.mark.gen_test
async def test_after_a_handler_that_failed_in_the_middle_nothing_can_be_taken_for_the_rest(connect, seen, path, came):
    client = await connect()
    client.say(get(path) + AFTER)
    said, _, rest = (await client.rest()).partition(b"\r\n\r\n")
    assert rest == came and b"/after" not in said
    assert uris(seen) == [path]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\r\n\r\nHTTP/1.1 200 OK", "\N{SNOWMAN}"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.gen_test
async def test_a_header_that_cannot_be_said_is_not_and_the_next_answer_does_not_take_its_place(
    connect, application, seen, value, version
):
    application.settings["header"] = value
    client = await connect()
    client.say(get("/header", "Connection: keep-alive", version=version) + AFTER)
    assert await client.rest() == b""
    assert uris(seen) == ["/header"]


@pytest.mark.gen_test
async def test_a_handler_that_cannot_be_made_ends_the_connection_and_is_logged(connect, server, seen, caplog):
    client = await connect()
    client.say(get("/broken") + AFTER)
    assert await client.rest() == b""
    assert [(record.name, record.getMessage()) for record in errors(caplog)] == [
        ("parley.http", "GET could not be begun with")
    ]
    assert not server.connections and not seen


# Expect, Upgrade


@pytest.mark.gen_test
async def test_who_asks_before_sending_a_body_is_told_to_go_on(connect):
    client = await connect()
    client.say(get("/", "Content-Length: 5", "Expect: 100-Continue", method="POST"))
    assert (await client.answer()).status == 100
    client.say(b"hello")
    assert (await client.answer()).status == 200
    client.say(get("/", f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue", method="POST"))
    assert await client.refusal() == (413, "body_too_large")


@pytest.mark.gen_test
async def test_a_request_that_would_rather_speak_http_2_is_answered_in_http_1(connect, seen):
    client = await connect()
    client.say(get("/1", *UPGRADE) + get("/2"))
    assert [(await client.answer())[::2] for _ in range(2)] == [(200, b"/1"), (200, b"/2")]
    await client.goes_on()


@pytest.mark.parametrize("form", [post, as_chunks])
@pytest.mark.gen_test
async def test_the_body_of_such_a_request_is_no_request(connect, seen, form):
    client = await connect()
    plain = get("/evil")
    client.say(form(plain, *UPGRADE, "Expect: 100-continue", path="/") + get("/next"))
    assert [(await client.answer()).status for _ in range(3)] == [100, 200, 200]
    assert [(one.uri, one.body) for one in seen] == [("/", plain), ("/next", b"")]


@pytest.mark.gen_test
async def test_what_came_with_such_a_request_stays_before_what_comes_later(connect, seen, gate):
    client = await connect()
    client.say(get("/slow", *UPGRADE) + get("/2")[:-7])
    await until(lambda: seen)
    client.say(get("/2")[-7:] + get("/3"))
    gate.set()
    assert [(await client.answer())[::2] for _ in range(3)] == [(200, b"slow"), (200, b"/2"), (200, b"/3")]


HANDSHAKE = get(
    "/ws",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
HELLO = b"\x81\x85\0\0\0\0hello"  # masked, with zeros


@pytest.mark.gen_test
async def test_a_frame_that_comes_with_the_handshake_is_delivered(connect, server, seen, gate):
    gate.set()
    client = await connect()
    client.say(get("/1") + HANDSHAKE + HELLO)
    assert [(await client.answer()).status for _ in range(2)] == [200, 101]
    assert await client.read(7) == b"\x81\x05hello"
    client.say(HELLO)
    assert await client.read(7) == b"\x81\x05hello"
    assert not server.connections
    client.writer.close()


@pytest.mark.gen_test
async def test_a_frame_that_comes_before_the_handshake_is_answered_is_delivered(connect, seen, gate):
    client = await connect()
    client.say(HANDSHAKE)
    await until(lambda: seen)
    client.say(HELLO)
    await (await connect()).goes_on()
    gate.set()
    assert (await client.answer()).status == 101
    assert await client.read(7) == b"\x81\x05hello"
    client.writer.close()


@pytest.mark.gen_test
async def test_a_handshake_with_a_body_opens_no_websocket(connect, gate):
    gate.set()
    client = await connect()
    client.say(HANDSHAKE[:-2] + b"Content-Length: 11\r\n\r\n" + HELLO)
    assert (await client.answer()).status == 400
    await client.goes_on()


# Clients that go away, or are slow


@pytest.mark.parametrize("more", [[], ["/2"]])
@pytest.mark.gen_test
async def test_a_client_that_has_said_all_it_will_still_gets_its_answers(connect, server, seen, gate, more):
    client = await connect()
    client.say(get("/slow") + b"".join(map(get, more)))
    client.writer.write_eof()
    await until(lambda: seen)
    other = await connect()
    await other.goes_on()
    gate.set()
    assert [(await client.answer()).body.decode() for _ in ("slow", *more)] == ["slow", *more]
    assert await client.rest() == b""
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    "request_", [get("/slow"), get("/slow") + get("/large-parts"), HANDSHAKE], ids=["slow", "more", "handshake"]
)
@pytest.mark.gen_test
async def test_a_client_that_goes_away_while_its_handler_works_is_forgotten_and_no_error(
    connect, server, seen, gate, caplog, request_
):
    client = await connect()
    client.say(request_)
    await until(lambda: seen)
    client.reset()
    gate.set()
    await until(lambda: not server.connections)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not errors(caplog)


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("path", ["/large", "/large-parts"])
@pytest.mark.gen_test
async def test_a_client_that_takes_a_large_answer_slowly_gets_all_of_it(connect, server, path, goes_on):
    client = await connect()
    client.say(get(path, "Connection: keep-alive" if goes_on else "Connection: close"))
    await until(lambda: any(connection._out for connection in server.connections))
    said = await client.answer()
    assert said.body.replace(b"y", b"") == b"x" * BIG
    if goes_on:
        await client.goes_on()
    else:
        assert await client.rest() == b""


@pytest.mark.parametrize("path", ["/large", "/large-parts"])
@pytest.mark.gen_test
async def test_a_client_that_takes_nothing_is_closed(serve, seen, path):
    server, port = serve(idle_seconds=0.2)
    with socket.create_connection(("127.0.0.1", port)) as client:
        began = time.monotonic()
        client.sendall(get(path))
        await until(lambda: seen)
        assert server.connections
        await until(lambda: not server.connections)
        assert time.monotonic() - began >= 0.2


@pytest.mark.gen_test
async def test_a_client_that_does_not_take_its_refusal_back_is_closed_too(serve):
    server, port = serve(idle_seconds=0.2)
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    client.say(b"nonsense\r\n\r\n")
    assert await client.refusal() == (501, "method_unknown")
    await until(lambda: not server.connections)


# What is left


@pytest.fixture
def no_collections():
    """What is not freed by its reference counts stays. No log keeps an exception, with its frames."""
    gc.collect()
    gc.disable()
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
    gc.enable()


def goes_away(client):
    client.writer.transport.abort()


ENDS = {
    "idle": (get(), goes_away),
    "in the middle of a head": (get()[:-1], goes_away),
    "in the middle of a body": (post(b"hello")[:-1], goes_away),
    "refused": (b"nonsense\r\n\r\n", goes_away),
    "refused by a callback": (announced(MAX_BODY + 1), goes_away),
    "closing": (get("/closing"), goes_away),
    "failing": (get("/failing"), goes_away),
    "a websocket": (HANDSHAKE, goes_away),
    "with more in turn": (get("/closing") + get("/2") + announced(MAX_BODY + 1), goes_away),
    "at work": (get("/slow"), Client.reset),
    "before the parts": (get("/late-parts"), Client.reset),
    "between the parts": (get("/large-parts"), Client.reset),
    "in a large answer": (get("/large"), Client.reset),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.gen_test
async def test_a_connection_that_has_ended_is_freed_by_its_reference_count(
    how, connect, server, seen, gate, no_collections
):
    said, end = ENDS[how]
    client = await connect()
    await until(lambda: server.connections)
    (connection,) = map(weakref.ref, server.connections)
    client.say(said)
    await until(lambda: seen or how.startswith(("in the middle", "refused")))
    end(client)
    gate.set()
    await until(lambda: not server.connections)
    await until(lambda: connection() is None)


@pytest.mark.gen_test
async def test_after_the_end_of_the_server_nothing_is_open(serve, seen):
    server, port = serve()
    idle, busy, half, large = clients = [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(4)]
    busy.say(get("/slow"))
    half.say(get()[:-1])
    large.say(get("/large"))
    await until(lambda: len(seen) == 2 and len(server.connections) == 4)
    sockets = [connection._socket for connection in server.connections]
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await idle.goes_on()
    server.close_all_connections()
    assert not server.connections and {one.fileno() for one in sockets} == {-1}
    for client in clients:
        try:
            assert len(await client.rest()) < BIG
        except ConnectionResetError:
            pass
