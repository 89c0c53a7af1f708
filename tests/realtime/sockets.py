"""Both ends of a real socket: the server's as its way out, the client's as something that reads WebSocket frames."""

import asyncio
import json
import socket
import time
import uuid

from realtime.transport.socket_writer import SocketWriter
from realtime.transport.write_queue import WriteQueue

TEXT, CLOSE, PING = 0x1, 0x8, 0x9


class Pair:
    """A server's socket with its `writer`, and the frames that its client has read so far."""

    def __init__(self, buffer=4096, queue=None):
        self.ours, self.theirs = socket.socketpair()
        for end, option in ((self.ours, socket.SO_SNDBUF), (self.theirs, socket.SO_RCVBUF)):
            end.setsockopt(socket.SOL_SOCKET, option, buffer)
            end.setblocking(False)
        self.is_open = True
        self.writer = SocketWriter(self.ours, queue or WriteQueue(), self.close_ours)
        self.received = b""

    def take(self, most=2**20) -> int:
        """Let the client take up to so many bytes of what has arrived; how many it took."""
        taken = 0
        while taken < most:
            try:
                data = self.theirs.recv(most - taken)
            except BlockingIOError:
                break
            if not data:
                break
            self.received += data
            taken += len(data)
        return taken

    async def take_everything(self):
        """Let the client read until nothing waits for it any more, on either side."""
        deadline = time.monotonic() + 5
        while self.take() or self.writer.unsent:
            assert time.monotonic() < deadline, f"{self.writer.unsent} bytes are left"
            await asyncio.sleep(0)

    def frames(self) -> list[tuple[int, bytes]]:
        """`(opcode, payload)` of every frame that has been received as a whole, once; fails where the framing is broken."""
        found, data, start = [], self.received, 0
        while len(data) >= start + 2:
            first, size, head = data[start], data[start + 1], 2
            assert first & 0xF0 == 0x80 and first & 0x0F in (TEXT, CLOSE, PING), (
                f"no frame begins with {data[start : start + 8]!r}"
            )
            if size > 125:
                head = 4 if size == 126 else 10
                size = int.from_bytes(data[start + 2 : start + head], "big")
            if len(data) < start + head + size:
                break
            found.append((first & 0x0F, data[start + head : start + head + size]))
            start += head + size
        self.received = data[start:]
        return found

    def close_ours(self):
        """Close the server's end, as whoever owns it does."""
        if self.is_open:
            self.is_open = False
            self.writer.close()
            self.ours.close()

    def close(self):
        self.close_ours()
        self.theirs.close()


class Connection:
    """A client's socket to a `Node`, as the handler of `/ws` would make it."""

    def __init__(self, node, client, session_id=None, buffer=2**16):
        self.client, self.pair = client, Pair(buffer, queue=node.write_queue)
        self.code = None
        self.served = node.connect(session_id or str(uuid.uuid4()), client.user_id, self.pair.writer, self._close)

    def _close(self, code, reason):
        self.code = code

    def hello(self):
        """Say hello, as the client would on a new connection; answers itself."""
        return self.say(self.client.hello())

    def say(self, frame):
        self.served.receive(frame if isinstance(frame, str | bytes) else json.dumps(frame))
        return self

    def take(self, most=2**20) -> int:
        """Let the client take up to so many bytes, and apply the frames that are complete."""
        taken = self.pair.take(most)
        for opcode, payload in self.pair.frames():
            assert opcode == TEXT
            self.client.take(payload)
        return taken

    async def until(self, condition, seconds=5.0):
        """Let the client take everything until the function answers something true, and answer that."""
        return await until(lambda: (self.take(), condition())[1], seconds)

    async def synced(self):
        await self.until(lambda: self.client.is_synced)
        return self

    def leave(self):
        """The client is gone."""
        self.served.gone()
        self.pair.close()


async def until(condition, seconds=5.0):
    """Wait until the function answers something true, and answer that."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)
    return answer
