"""RFC 6455 over raw bytes, in the sections of the Autobahn test suite: what a client may frame and how, what it may not and which
code it is told, and that the server's own frames are whole and right whatever is mixed on one socket.

The client below knows no WebSocket library, and is strict: a frame that the server might have written better fails the test.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.client import until
from tests.processes.metrics import metrics

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, PROTOCOL_ERROR, INVALID_UTF8, TOO_BIG, BAD_FRAME = 1000, 1002, 1007, 1009, 4400
HELLO_BYTES, FRAME_BYTES = 640_000, 32 * 1024
SECONDS = 10.0


def framed(opcode, payload=b"", *, fin=True, reserved=0, masked=True, claimed=None) -> bytes:
    """A client's frame. `reserved`: the three bits; `claimed`: a length that is not the payload's."""
    size = len(payload) if claimed is None else claimed
    short = size if size < 126 else 126 if size < 65536 else 127
    head = bytes([fin << 7 | reserved << 4 | opcode, masked << 7 | short])
    head += size.to_bytes({126: 2, 127: 8}[short], "big") if short > 125 else b""
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask), strict=False))


def fragments(payload: bytes, size: int, opcode=TEXT) -> list[bytes]:
    """The payload in frames of so many bytes."""
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    return [
        framed(CONTINUATION if place else opcode, piece, fin=place == len(pieces) - 1)
        for place, piece in enumerate(pieces)
    ]


def padded(kind: str, size: int) -> bytes:
    """A frame's JSON, so many bytes of it."""
    return json.dumps({"type": kind}).encode().ljust(size)


class Raw:
    """One connection to `/ws`."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self.texts = []  # what the server has said, decoded
        self.pongs = []  # payloads
        self.closed = None  # payload of its close frame

    @classmethod
    async def open(cls, user, url, *, hello=True, receive_buffer=None) -> "Raw":
        there = urlsplit(url)
        ours = socket.socket()
        if receive_buffer:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        ours.setblocking(False)
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(ours, (there.hostname, there.port))
        raw = cls(*await asyncio.open_connection(sock=ours, limit=receive_buffer or 2**16))
        raw.send(
            f"GET /ws HTTP/1.1\r\nHost: {there.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Protocol: parley.v1\r\n"
            f"Authorization: Bearer {user.token}\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(raw._reader.readuntil(b"\r\n\r\n"), SECONDS)
        assert head.startswith(b"HTTP/1.1 101 "), head
        if hello:
            raw.send(framed(TEXT, padded("hello", 0)))
            await raw.hears("synced")
        return raw

    def send(self, *data: bytes):
        self._writer.write(b"".join(data))

    async def send_in_pieces(self, data: bytes, size: int):
        """So many bytes at a time, each in a packet of its own if the system lets it."""
        for start in range(0, len(data), size):
            self._writer.write(data[start : start + size])
            await asyncio.sleep(0)

    async def read(self) -> bool:
        """Take the next frame, which must be as a server's should be; false at the end of the connection."""
        try:
            first, second = await asyncio.wait_for(self._reader.readexactly(2), SECONDS)
        except asyncio.IncompleteReadError as end:
            assert not end.partial, "the connection ends within a frame"
            return False
        assert self.closed is None, "something follows the close frame"
        opcode, size = first & 0xF, second
        assert first & 0x70 == 0, "reserved bits"
        assert first & 0x80 and opcode in (TEXT, CLOSE, PING, PONG), "our server sends texts, and in one piece"
        assert size < 128, "a server masks nothing"
        if size > 125:
            assert opcode == TEXT, "a control frame that is too long"
            extended = await self._reader.readexactly(2 if size == 126 else 8)
            assert int.from_bytes(extended, "big") > (125 if size == 126 else 65535), "the length has a shorter form"
            size = int.from_bytes(extended, "big")
        payload = await asyncio.wait_for(self._reader.readexactly(size), SECONDS)
        if opcode == TEXT:
            self.texts.append(json.loads(payload.decode()))
        elif opcode == PONG:
            self.pongs.append(payload)
        elif opcode == PING:
            self.send(framed(PONG, payload))
        else:
            assert len(payload) != 1 and payload[2:].decode() is not None
            self.closed = payload
        return True

    async def reads_until(self, condition):
        while not condition():
            assert await self.read(), f"the connection ended, closed with {self.closed}, after {self.texts[-3:]}"

    async def hears(self, kind: str, count=1) -> dict:
        """So many frames of this type in all; the last of them."""
        await self.reads_until(lambda: sum(text["type"] == kind for text in self.texts) >= count)
        return self.texts[-1]

    async def is_alive(self):
        """Whether a ping is still answered."""
        token = os.urandom(8)
        self.send(framed(PING, token))
        await self.reads_until(lambda: token in self.pongs)

    async def ends(self, code: int | None):
        """The server says this code (None: a close frame without) and closes, soon; nothing follows its close frame."""
        began = time.monotonic()
        while await self.read():
            pass
        assert self.closed is not None, "no close frame"
        assert (int.from_bytes(self.closed[:2], "big") if self.closed else None) == code, self.closed
        assert time.monotonic() - began < 3, "it waited for something"

    async def leave(self):
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@pytest.fixture(scope="module")
def url(module_cluster):
    # One client says as much as it likes here.
    return (
        module_cluster(instances=1, env={"FRAMES_PER_SECOND": "1000000", "MAX_SOCKETS_PER_USER": "1000"})
        .instances[0]
        .url
    )


@pytest.fixture
def connect(party, url, io_loop):
    """Opens connections of one user."""
    opened = []

    async def connected(**options) -> Raw:
        (ann,) = await party.users(url, 1)
        opened.append(await Raw.open(ann, url, **options))
        return opened[-1]

    async def leave():
        for raw in opened:
            await raw.leave()

    yield connected
    io_loop.run_sync(leave)


PIECES = pytest.mark.parametrize("pieces", [False, True], ids=["whole", "in pieces"])


async def say(raw, data, pieces):
    if pieces:
        await raw.send_in_pieces(data, 1 if len(data) < 1000 else 997)
    else:
        raw.send(data)


# 1, 9 Framing and sizes


@PIECES
@pytest.mark.parametrize("size", [15, 125, 126, 127, 128, 32_767, FRAME_BYTES])
@pytest.mark.gen_test
async def test_a_text_of_any_length_is_read(size, pieces, connect):
    raw = await connect()
    await say(raw, framed(TEXT, padded("ping", size)), pieces)
    await raw.hears("pong")


@PIECES
@pytest.mark.parametrize("size", [16, 125, 126, 127, 128, 65_535, 65_536, HELLO_BYTES])
@pytest.mark.gen_test
async def test_a_hello_of_any_length_is_read(size, pieces, connect):
    raw = await connect(hello=False)
    await say(raw, framed(TEXT, padded("hello", size)), pieces)
    await raw.hears("synced")
    await raw.is_alive()


@PIECES
@pytest.mark.parametrize(
    "opcode, size", [(TEXT, 0), (TEXT, 1), *((BINARY, size) for size in (0, 1, 125, 126, 127, 128, FRAME_BYTES))]
)
@pytest.mark.gen_test
async def test_what_is_no_json_text_is_answered_by_an_error_and_4400(opcode, size, pieces, connect):
    raw = await connect()
    await say(raw, framed(opcode, b"*" * size), pieces)
    error = await raw.hears("error")
    assert error["error"]["code"] == "invalid_value"
    raw.send(framed(CLOSE, raw.closed or b""))
    await raw.ends(BAD_FRAME)


@pytest.mark.parametrize(
    "hello, size", [(True, FRAME_BYTES + 1), (True, 65_536), (True, 2**20), (False, HELLO_BYTES + 1)]
)
@pytest.mark.gen_test
async def test_a_message_beyond_the_limit_ends_with_1009_also_while_it_is_still_being_sent(hello, size, connect):
    raw = await connect(hello=hello)
    if hello:  # the limit of those that follow holds from the first on
        raw.send(framed(TEXT, padded("ping", 0)))
        await raw.hears("pong")
    raw.send(framed(TEXT, padded("ping", size)))
    await raw.ends(TOO_BIG)


@pytest.mark.gen_test
async def test_fragments_that_are_too_much_together_end_with_1009(connect):
    raw = await connect()
    raw.send(*fragments(padded("ping", FRAME_BYTES), 1000))
    await raw.hears("pong")
    raw.send(*fragments(padded("ping", FRAME_BYTES + 1), 1000))
    await raw.ends(TOO_BIG)


@pytest.mark.parametrize("claimed", [2**31, 2**62, 2**64 - 1])
@pytest.mark.gen_test
async def test_a_length_that_nobody_could_send_is_not_waited_for(claimed, connect):
    raw = await connect()
    raw.send(framed(TEXT, b"x", claimed=claimed))
    await raw.ends(TOO_BIG)


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
@pytest.mark.gen_test
async def test_a_frame_without_a_mask_is_refused(opcode, connect):
    raw = await connect()
    raw.send(framed(opcode, b"" if opcode == CLOSE else padded("ping", 0), masked=False))
    await raw.ends(PROTOCOL_ERROR)
    assert not raw.pongs and raw.texts[-1]["type"] == "synced"


# 2 Pings and pongs


@PIECES
@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff\xfe", b"*" * 125], ids=len)
@pytest.mark.gen_test
async def test_a_ping_is_answered_with_what_it_carried(payload, pieces, connect):
    raw = await connect()
    await say(raw, framed(PING, payload), pieces)
    await raw.reads_until(lambda: raw.pongs)
    assert raw.pongs == [payload]


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.gen_test
async def test_a_control_frame_of_more_than_125_bytes_is_refused(opcode, connect):
    raw = await connect()
    raw.send(framed(opcode, b"\x03\xe8" + b"*" * 124))
    await raw.ends(PROTOCOL_ERROR)
    assert not raw.pongs


@pytest.mark.gen_test
async def test_pongs_that_nobody_asked_for_are_nothing(connect):
    raw = await connect()
    raw.send(framed(PONG), framed(PONG, b"unasked"), framed(PING, b"asked"), framed(PONG, b"*" * 125))
    await raw.is_alive()
    assert len(raw.pongs) == 2 and raw.pongs[0] == b"asked"


@PIECES
@pytest.mark.gen_test
async def test_of_ten_pings_at_once_the_last_at_least_is_answered_and_in_order(pieces, connect):
    raw = await connect()
    pings = [b"%d" % number for number in range(10)]
    await say(raw, b"".join(framed(PING, ping) for ping in pings), pieces)
    await raw.reads_until(lambda: pings[-1] in raw.pongs)
    assert raw.pongs == sorted(set(raw.pongs)) and set(raw.pongs) <= set(pings)


# 3, 4 What is reserved


@pytest.mark.parametrize("reserved", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
@pytest.mark.gen_test
async def test_reserved_bits_are_refused(opcode, reserved, connect):
    raw = await connect()
    raw.send(
        framed(PING, b"before"),
        framed(opcode, padded("ping", 0) if opcode == TEXT else b"", reserved=reserved),
        framed(PING, b"after"),
    )
    await raw.ends(PROTOCOL_ERROR)
    assert raw.pongs == [b"before"]


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved"], ids=["empty", "full"])
@pytest.mark.gen_test
async def test_reserved_opcodes_are_refused(opcode, payload, connect):
    raw = await connect()
    raw.send(framed(PING, b"before"), framed(opcode, payload), framed(PING, b"after"))
    await raw.ends(PROTOCOL_ERROR)
    assert raw.pongs == [b"before"]


# 5 Fragments


@PIECES
@pytest.mark.parametrize("size", [1, 7, 14])
@pytest.mark.gen_test
async def test_a_text_may_come_in_fragments_with_pings_and_pongs_between_them(size, pieces, connect):
    raw = await connect()
    pings = []
    for frame in fragments(padded("ping", 0), size):
        pings.append(b"%d" % len(pings))
        await say(raw, frame + framed(PING, pings[-1]) + framed(PONG) + framed(PONG, b"unasked"), pieces)
    await raw.hears("pong")
    await raw.reads_until(lambda: pings[-1] in raw.pongs)
    assert [text["type"] for text in raw.texts].count("pong") == 1


@pytest.mark.gen_test
async def test_fragments_may_be_empty(connect):
    raw = await connect()
    raw.send(framed(TEXT, fin=False), framed(CONTINUATION, padded("ping", 0), fin=False), framed(CONTINUATION))
    await raw.hears("pong")


@pytest.mark.parametrize(
    "frames",
    [
        [framed(CONTINUATION, b"of nothing")],
        [framed(CONTINUATION, b"of nothing", fin=False)],
        [framed(TEXT, padded("ping", 0)), framed(CONTINUATION, b"of what is complete")],
        [framed(TEXT, b"first", fin=False), framed(TEXT, b"second")],
        [framed(TEXT, b"first", fin=False), framed(BINARY, b"second", fin=False)],
        [framed(PING, b"a", fin=False), framed(CONTINUATION, b"b")],
        [framed(PONG, fin=False)],
        [framed(CLOSE, b"\x03\xe8", fin=False)],
    ],
    ids=[
        "continuation",
        "open continuation",
        "continuation of nothing more",
        "text in text",
        "binary in text",
        "ping",
        "pong",
        "close",
    ],
)
@pytest.mark.gen_test
async def test_fragments_of_nothing_and_of_control_frames_are_refused(frames, connect):
    raw = await connect()
    raw.send(*frames)
    await raw.ends(PROTOCOL_ERROR)
    assert not raw.pongs


# 6 UTF-8


@pytest.mark.parametrize("text", ["κόσμε", "ñ€𝄞", "\ud7ff\ue000\ufffd\uffff\U0010ffff", "z\u0301\u200d👩‍👩"], ids=ascii)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.gen_test
async def test_text_is_read_also_where_a_fragment_ends_within_a_character(text, size, connect):
    raw = await connect()
    # A field that nobody knows is passed over, once it has been read.
    raw.send(*fragments(json.dumps({"type": "ping", text: text}, ensure_ascii=False).encode(), size))
    await raw.hears("pong")


INVALID = {
    "lone continuation": b"\x80", "overlong": b"\xc0\xaf", "overlong null": b"\xc0\x80", "surrogate": b"\xed\xa0\x80", "surrogates": b"\xed\xa0\x80\xed\xbf\xbf",
    "above 10FFFF": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80", "FE": b"\xfe", "FF": b"\xff", "cut off": b"\xce\xba\xe1\xbd", "latin-1": b"\xe4h",
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 1000], ids=["in fragments", "whole"])
@pytest.mark.parametrize("wrong", INVALID.values(), ids=INVALID)
@pytest.mark.gen_test
async def test_text_that_is_not_utf_8_ends_with_1007(wrong, size, connect):
    raw = await connect()
    raw.send(*fragments(b'{"type": "ping", "' + wrong + b'": 1}', size))
    await raw.ends(INVALID_UTF8)
    assert raw.texts[-1]["type"] == "synced"


# 7 Closing


def closing(code, reason=b""):
    return framed(CLOSE, code.to_bytes(2, "big") + reason)


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
@pytest.mark.gen_test
async def test_a_close_is_answered_with_its_code(code, connect):
    raw = await connect()
    raw.send(closing(code, "Ölwechsel".encode()))
    await raw.ends(code)


@PIECES
@pytest.mark.gen_test
async def test_a_close_may_say_nothing_or_much(pieces, connect):
    for frame, code in ((framed(CLOSE), None), (closing(NORMAL, b"*" * 123), NORMAL)):
        raw = await connect()
        await say(raw, frame, pieces)
        await raw.ends(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
@pytest.mark.gen_test
async def test_a_close_with_a_code_that_may_not_be_sent_is_refused(code, connect):
    raw = await connect()
    raw.send(closing(code))
    await raw.ends(PROTOCOL_ERROR)


@pytest.mark.gen_test
async def test_a_close_with_half_a_code_is_refused(connect):
    raw = await connect()
    raw.send(framed(CLOSE, b"\x03"))
    await raw.ends(PROTOCOL_ERROR)


@pytest.mark.parametrize("wrong", INVALID.values(), ids=INVALID)
@pytest.mark.gen_test
async def test_a_reason_that_is_not_utf_8_is_refused(wrong, connect):
    raw = await connect()
    raw.send(closing(NORMAL, b"why: " + wrong))
    await raw.ends(INVALID_UTF8)


@pytest.mark.parametrize(
    "after",
    [
        framed(TEXT, padded("ping", 0)),
        framed(PING, b"after"),
        closing(1001),
        framed(3),
        framed(TEXT, padded("ping", 2**20)),
    ],
    ids=["text", "ping", "another close", "what is reserved", "a megabyte"],
)
@pytest.mark.gen_test
async def test_what_follows_a_close_is_nothing(after, connect):
    raw = await connect()
    raw.send(closing(NORMAL) + after[:2])
    with contextlib.suppress(ConnectionError):
        raw.send(after[2:])
        await raw.ends(NORMAL)
    assert not raw.pongs and raw.texts[-1]["type"] == "synced"


@pytest.mark.gen_test
async def test_what_crosses_the_servers_close_is_nothing_and_its_answer_ends_it(connect):
    raw = await connect()
    raw.send(
        framed(TEXT, b"garbage"), framed(TEXT, padded("ping", 0)), framed(TEXT, b"garbage"), framed(PING, b"crossing")
    )
    await raw.reads_until(lambda: raw.closed is not None)
    raw.send(framed(CLOSE, raw.closed))
    await raw.ends(BAD_FRAME)
    assert [text["type"] for text in raw.texts].count("error") == 1 and raw.texts[-1]["type"] == "error"


@pytest.mark.parametrize("half", [b"", framed(TEXT, padded("ping", 0))[:1], framed(TEXT, padded("ping", 0))[:9], framed(TEXT, b"{", fin=False)],
                         ids=["between frames", "in a head", "in a payload", "between fragments"])  # fmt: skip
@pytest.mark.gen_test
async def test_who_is_gone_without_a_close_is_forgotten(half, connect, url):
    before = (await metrics(url))["parley_sockets"]
    raw = await connect()
    await raw.is_alive()
    assert (await metrics(url))["parley_sockets"] == before + 1
    raw.send(half)
    await raw.leave()

    async def forgotten():
        return (await metrics(url))["parley_sockets"] == before

    await until(forgotten, SECONDS)


# 10 Much at once, and the server's own frames


@pytest.mark.parametrize("size", [1, 50, 1400, 2**20], ids=["byte by byte", "torn", "packets", "whole"])
@pytest.mark.gen_test
async def test_a_thousand_small_frames_are_answered_one_by_one(size, connect):
    count = 1000 if size > 1 else 100
    raw = await connect()
    sending = asyncio.ensure_future(
        raw.send_in_pieces(b"".join(framed(TEXT, padded("ping", 0)) for _ in range(count)), size)
    )
    await raw.hears("pong", count)
    await sending
    await raw.is_alive()
    assert [text["type"] for text in raw.texts].count("pong") == count


@pytest.mark.gen_test
async def test_messages_pings_and_slow_reading_mixed_on_one_socket_break_no_frame(connect, party, url):
    people, chat = await party.group(url, 2)
    slow, quick = [await connect(receive_buffer=buffer) for buffer in (4096, None)]
    sizes = [0, 60, 1000, 7900, 1, 100, 3000, 7900]

    async def speak():
        for number in range(48):
            await people[1].send(chat, f"{number}:" + "\N{BLACK STAR}" * sizes[number % len(sizes)])

    async def ping(raw):
        for number in range(150):
            raw.send(*fragments(padded("ping", 0), 5), framed(PING, b"%d" % number))
            await asyncio.sleep(0.002)
        raw.send(framed(PING, b"last"))

    async def read(raw, pause):
        while (
            len([text for text in raw.texts if text.get("channel") == "messageAdded"]) < 48 or b"last" not in raw.pongs
        ):
            assert await raw.read()
            await asyncio.sleep(pause)

    await asyncio.gather(speak(), *(ping(raw) for raw in (slow, quick)), read(slow, 0.005), read(quick, 0))
    for raw in (slow, quick):
        events = [text for text in raw.texts if text.get("channel") == "messageAdded"]
        assert [int(event["data"]["content"].partition(":")[0]) for event in events] == list(range(48))
        assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + 48))
        assert [text["type"] for text in raw.texts].count("pong") == 150
        raw.send(closing(NORMAL))
        await raw.ends(NORMAL)
