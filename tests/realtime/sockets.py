"""Both ends of a real socket: the server's as a Tornado stream, the client's as something that reads WebSocket frames."""

import asyncio
import socket
import time

from tornado.iostream import IOStream

from realtime.wire import Wire

TEXT, CLOSE, PING = 0x1, 0x8, 0x9


class Pair:
    """A server's stream with its `wire`, and the frames that its client has read so far."""

    def __init__(self, buffer=4096, stream=IOStream):
        ours, self.theirs = socket.socketpair()
        for end, option in ((ours, socket.SO_SNDBUF), (self.theirs, socket.SO_RCVBUF)):
            end.setsockopt(socket.SOL_SOCKET, option, buffer)
        self.theirs.setblocking(False)
        self.stream = stream(ours)
        self.wire = Wire(self.stream)
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
        while self.take() or self.wire.unsent or self.stream.writing():
            assert time.monotonic() < deadline, f"{self.wire.unsent} bytes are left"
            await asyncio.sleep(0)

    def frames(self) -> list[tuple[int, bytes]]:
        """`(opcode, payload)` of every frame received; fails where the framing is broken."""
        found, data = [], self.received
        while data:
            first, size, start = data[0], data[1], 2
            assert first & 0xF0 == 0x80 and first & 0x0F in (TEXT, CLOSE, PING), f"no frame begins with {data[:8]!r}"
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10], "big"), 10
            assert size < 2**31 and len(data) >= start + size, "a frame is cut off"
            found.append((first & 0x0F, data[start : start + size]))
            data = data[start + size :]
        return found

    def close(self):
        self.stream.close()
        self.theirs.close()


async def until(condition, seconds=5.0):
    """Wait until the function answers something true, and answer that."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)
    return answer
