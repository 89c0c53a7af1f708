"""`python -m bench.load.requests`: HTTP requests over kept connections, as fast as they are answered or at a given rate."""

import asyncio
import itertools
import os
import socket
import time

import uvloop

from bench.figures import percentile
from bench.load import service

PATIENCE = 15.0  # seconds after the last request of a pace


class Connection(asyncio.Protocol):
    """One kept connection; `ask` answers the status. Bodies are skipped by their Content-Length."""

    def __init__(self):
        self.last = b""  # body of the last answer
        self._data = b""
        self._answer = None

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, request: bytes):
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data):
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        place = head.find(b"content-length:")
        if place < 0:
            if b"transfer-encoding: chunked" in head:
                if not self._data.endswith(b"0\r\n\r\n"):
                    return
                self._done(end)
                return
            size = 0
        else:
            size = int(head[place + 15 : head.find(b"\r", place) if head.find(b"\r", place) > 0 else len(head)])
        if len(self._data) >= end + 4 + size:
            self._done(end)

    def _done(self, end):
        status = int(self._data[9:12])
        self.last, self._data = self._data[end + 4 :], b""
        answer, self._answer = self._answer, None
        answer.set_result(status)

    def connection_lost(self, error):
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed"))


class Requests:
    """What the other side may ask for. A request is `[method, path, headers, body]`.

    In a body, `@now@` becomes the time of sending, and in headers `@key@` a new Idempotency-Key.
    """

    async def run(self, at, requests: list, concurrent: int, seconds: float) -> dict:
        """`concurrent` connections, each sending its requests in turn as fast as they are answered."""
        until = time.monotonic() + seconds
        return await _in_turn(at, requests, concurrent, lambda: time.monotonic() < until)

    async def count(self, at, requests: list, concurrent: int, count: int) -> dict:
        """The same, `count` requests in all."""
        left = iter(range(count))
        return await _in_turn(at, requests, concurrent, lambda: next(left, None) is not None)

    async def pace(self, at, requests: list, rate: float, seconds: float) -> dict:
        """`rate` requests a second, whether or not those before are answered; what never is counts as unanswered."""
        plans = [_parts(*request) for request in requests]
        idle, delays, refused, tasks = [await _connect(at) for _ in range(8)], [], [], []
        made = list(idle)

        async def send(plan):
            connection = idle.pop() if idle else None
            if connection is None or connection.transport.is_closing():  # servers close what was idle for some seconds
                connection = await _connect(at)
            began = time.monotonic_ns()
            status = await connection.ask(_render(plan))
            delays.append(time.monotonic_ns() - began)
            if status >= 300:
                refused.append(status)
            idle.append(connection)

        began = time.monotonic()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            tasks.append(asyncio.ensure_future(send(plans[number % len(plans)])))
        answered, waiting = await asyncio.wait(tasks, timeout=PATIENCE)
        for task in waiting:
            task.cancel()
        unanswered = len(waiting) + sum(task.exception() is not None for task in answered)
        return {**_told(delays, refused, time.monotonic() - began, {*made, *idle}), "unanswered": unanswered}


async def _in_turn(at, requests, concurrent, more) -> dict:
    """Each connection sends while there is `more()`."""
    plans = [[_parts(*request) for request in requests[number::concurrent] or requests] for number in range(concurrent)]
    connections = [await _connect(at) for _ in plans]
    delays, refused = [], []

    async def send(place, plan):
        connection = connections[place]
        for parts in itertools.cycle(plan):
            if not more():
                return
            if connection.transport.is_closing():
                connection = connections[place] = await _connect(at)
            began = time.monotonic_ns()
            status = await connection.ask(_render(parts))
            delays.append(time.monotonic_ns() - began)
            if status >= 300:
                refused.append(status)

    began = time.monotonic()
    await asyncio.gather(*map(send, range(concurrent), plans))
    return _told(delays, refused, time.monotonic() - began, connections)


async def _connect(at):
    loop = asyncio.get_running_loop()
    if isinstance(at, str):
        return (await loop.create_unix_connection(Connection, at))[1]
    return (await loop.create_connection(Connection, "127.0.0.1", at, family=socket.AF_INET))[1]


def _parts(method, path, headers, body):
    """The request in pieces, so that sending one is two joins."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Accept: application/json",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body is not None:
        lines.append("Content-Type: application/json")
        timed = body.replace("@now@", f"@{'0' * 19}@")
        lines.append(f"Content-Length: {len(timed.encode())}")
    return "\r\n".join([*lines, "", ""]).partition("@key@"), (body or "").partition("@now@")


def _render(parts) -> bytes:
    (head, key, tail), (before, now, after) = parts
    digits = os.urandom(16).hex()
    key = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}" if key else ""
    now = f"@{time.monotonic_ns():019d}@" if now else ""
    return f"{head}{key}{tail}{before}{now}{after}".encode()


def _told(delays, refused, seconds, connections):
    for connection in connections:
        connection.transport.close()
    milliseconds = [delay / 1e6 for delay in delays] or [float("inf")]
    return {
        "count": len(delays),
        "refused": len(refused),
        "status": refused[:3],
        "seconds": seconds,
        "rate": len(delays) / seconds,
        "p50": percentile(milliseconds, 0.5),
        "p99": percentile(milliseconds, 0.99),
        "worst": max(milliseconds),
        "last": next(iter(connections)).last.decode("utf-8", "replace")[:300],
    }


if __name__ == "__main__":
    uvloop.run(service.serve(Requests()))
