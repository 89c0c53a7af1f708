"""`python -m bench.load.sockets`: thousands of WebSockets that count what they hear, and note how long it was on its way.

A protocol of its own on uvloop and no client library, because it must be far from its limit, take unix sockets, and read what is no
WebSocket at all (the limit, which is bare bytes) in the very same way. Masks and fragments of servers do not occur.
"""

import asyncio
import base64
import os
import socket
import time

import uvloop

from bench.figures import percentile
from bench.load import dialects, service

OPENING = 100  # handshakes at a time
MARK = b"@"  # stands before and after the time of sending, in the text of a message


class Group:
    """The sockets of one `open`: how many events they have heard, and who waits for which number of them."""

    def __init__(self, dialect, frame_bytes):
        self.dialect = dialect
        self.frame_bytes = frame_bytes  # of a raw stream, which has no frames
        self.sockets = []
        self.events = 0
        self.bytes = 0
        self.others = 0  # frames that are no events
        self.lost = 0
        self.timed = False
        self.delays = []
        self._target, self._reached = None, None

    def heard(self):
        """Tell whoever waits."""
        if self._target is not None and self.events >= self._target:
            self._target = None
            if not self._reached.done():
                self._reached.set_result(None)

    async def reach(self, target: int, seconds: float) -> bool:
        if self.events < target:
            self._target, self._reached = target, asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self._reached, seconds)
            except asyncio.TimeoutError:
                self._target = None
                return False
        return True


class Socket(asyncio.Protocol):
    """One connection, from its handshake on."""

    def __init__(self, group: Group, request: bytes | None, word, ready):
        self._group, self._word, self._ready = group, word, ready
        self._request = request
        self._rest = b""
        self._open = request is None
        self._at, self._letter = group.dialect.event
        if self._open:
            self.data_received = self._raw

    def connection_made(self, transport):
        self.transport = transport
        if self._request:
            transport.write(self._request)
        else:
            self._ready.set_result(None)

    def data_received(self, data):
        group = self._group
        if self._rest:
            data = self._rest + data
        if not self._open:
            data = self._handshake(data)
        start, end, size = 0, 0, len(data)
        at, letter = self._at, self._letter
        while size - start >= 2:
            length, head = data[start + 1], start + 2
            if length == 126:
                length, head = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
            elif length == 127:
                length, head = int.from_bytes(data[start + 2 : start + 10], "big"), start + 10
            end = head + length
            if end > size:
                break
            if data[start] == 0x81 and length > at and data[head + at] == letter:
                group.events += 1
                group.bytes += end - start
                if group.timed:
                    mark = data.find(MARK, head, end)
                    group.delays.append(time.monotonic_ns() - int(data[mark + 1 : data.index(MARK, mark + 1, end)]))
            else:
                self._other(data[start] & 15, data[head:end])
            start = end
        self._rest = data[start:] if start < size else b""
        group.heard()

    def _raw(self, data):
        group = self._group
        group.bytes += len(data)
        group.events = group.bytes // group.frame_bytes
        group.heard()

    def _handshake(self, data):
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return data
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self._fail(head[:200].decode("latin-1"))
            return b""
        self._open = True
        for frame in self._group.dialect.greeting(self._word):
            self.say(frame)
        return rest

    def _other(self, opcode, payload):
        self._group.others += 1
        if opcode == 9:
            self.say(payload, 0x8A)
        elif opcode == 8:
            self.transport.close()
        elif opcode == 1:
            answers, ready = self._group.dialect.hear(self._word, payload)
            for answer in answers:
                self.say(answer)
            if ready and not self._ready.done():
                self._ready.set_result(None)

    def say(self, payload: bytes, first=0x81):
        """Send a frame under a mask of zeros."""
        size = len(payload)
        length = (
            bytes([0x80 | size])
            if size < 126
            else b"\xfe" + size.to_bytes(2, "big")
            if size < 65536
            else b"\xff" + size.to_bytes(8, "big")
        )
        self.transport.write(bytes([first]) + length + b"\0\0\0\0" + payload)

    def connection_lost(self, error):
        self._group.lost += 1
        self._fail("the connection was closed")

    def _fail(self, why):
        if not self._ready.done():
            self._ready.set_exception(ConnectionError(why))


class Sockets:
    """What the other side may ask for."""

    def __init__(self):
        self._groups: dict[str, Group] = {}

    async def open(
        self,
        group: str,
        at,
        dialect: str,
        words: list,
        path: str = "/ws",
        frame_bytes: int = 0,
        at_once: int = OPENING,
        seconds: float = 60.0,
        patient: bool = False,
    ) -> dict:
        """Connect one socket for each of `words`: what it says to be let in. Answers the seconds until the last was ready.

        Who is `patient` tries again after a second, as often as it takes.
        """
        made = self._groups.get(group)
        if made is None or made.lost >= len(made.sockets):
            made = self._groups[group] = Group(getattr(dialects, dialect), frame_bytes)
        turns, began = asyncio.Semaphore(at_once), time.monotonic()
        took, tries = [], 0

        async def connect(word):
            nonlocal tries
            async with turns:
                asked = time.monotonic()
                while True:
                    tries += 1
                    try:
                        made.sockets.append(await _connect(made, at, path, word))
                        break
                    except OSError:
                        if not patient:
                            raise
                        await asyncio.sleep(1)
                took.append(time.monotonic() - asked)

        await asyncio.wait_for(asyncio.gather(*map(connect, words)), seconds)
        return {"seconds": time.monotonic() - began, "slowest": max(took), "tries": tries}

    async def reach(self, group: str, events: int, seconds: float = 30.0) -> dict:
        """Wait until the group has heard so many events in all. `ok` is false where it did not."""
        ok = await self._groups[group].reach(events, seconds)
        return {"ok": ok, "events": self._groups[group].events}

    async def time(self, group: str, on: bool) -> dict:
        """Begin or end to note how long each event was on its way; at the end, milliseconds."""
        found = self._groups[group]
        delays, found.delays, found.timed = found.delays, [], on
        if on or not delays:
            return {"count": 0}
        delays = [delay / 1e6 for delay in delays]
        return {
            "count": len(delays),
            "p50": percentile(delays, 0.5),
            "p99": percentile(delays, 0.99),
            "worst": max(delays),
        }

    async def state(self, group: str) -> dict:
        found = self._groups[group]
        return {
            "events": found.events,
            "bytes": found.bytes,
            "others": found.others,
            "lost": found.lost,
            "sockets": len(found.sockets),
        }

    async def close(self, group: str) -> dict:
        """Cut the sockets of a group."""
        found = self._groups.pop(group, None)
        for one in found.sockets if found else ():
            one.transport.abort()
        await asyncio.sleep(0)
        return {}


async def _connect(group, at, path, word) -> Socket:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    request = None
    if group.dialect is not dialects.raw:
        lines = [
            f"GET {group.dialect.path(path, word)} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *group.dialect.headers(word),
        ]
        request = "\r\n".join([*lines, "", ""]).encode()
    if isinstance(at, str):
        _, made = await loop.create_unix_connection(lambda: Socket(group, request, word, ready), at)
    else:
        _, made = await loop.create_connection(
            lambda: Socket(group, request, word, ready), "127.0.0.1", at, family=socket.AF_INET
        )
    await ready
    return made


if __name__ == "__main__":
    uvloop.run(service.serve(Sockets()))
