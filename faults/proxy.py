"""TCP links that can be hurt: proxies in a process of their own, so that a busy rig does not slow them.

A link listens on a port and carries every connection to its target. It can be

    pass      as it should be
    cut       its connections are broken, new ones are not let in
    hole      nothing gets through and nobody is told; what was under way arrives after healing, as TCP repeats it
    slow      so many bytes a second, for each connection and direction
    deaf      what the client says arrives, the replies vanish; after healing such a connection is broken

and its present connections can be made half-open: one side's end is gone and the other side is not told until healing.

`python -m faults.proxy PATH` serves commands, JSON lines on the unix socket PATH; `links` starts it and speaks to it.
"""

import asyncio
import json
import sys
from collections import Counter

TICK_SECONDS = 0.05


class End(asyncio.Protocol):
    """One of the two sides of a connection; `name` is `client` or `server`."""

    def __init__(self, connection, name):
        self.connection, self.name = connection, name
        self.transport = None
        self.held = bytearray()  # bytes on their way to this side
        self.choked = False  # this side does not take what it is sent
        self.gone = False

    @property
    def other(self):
        return self.connection.server if self is self.connection.client else self.connection.client

    def connection_made(self, transport):
        self.transport = transport
        self.connection.arrived(self)

    def data_received(self, data):
        self.connection.carry(self.other, data)

    def eof_received(self):
        return False

    def connection_lost(self, error):
        self.gone = True
        self.connection.settle()

    def pause_writing(self):
        self.choked = True
        self.connection.settle()

    def resume_writing(self):
        self.choked = False
        self.connection.settle()

    def abort(self):
        if self.transport is not None:
            self.transport.abort()


class Connection:
    """A client's connection and the one to the target that continues it."""

    def __init__(self, link):
        self.link = link
        self.client, self.server = End(self, "client"), End(self, "server")
        self.calling = False  # the target
        self.corrupt = False  # bytes of it vanished: it must not go on
        self.silent = False  # half-open

    def arrived(self, end):
        if end is self.client:
            self.link.connections.add(self)
            if self.link.mode == "cut":
                self.end()
        self.settle()

    def carry(self, to: End, data: bytes):
        if self.silent or self.link.mode == "deaf" and to is self.client:
            self.link.counts["swallowed"] += len(data)
            self.corrupt = True
            return
        to.held += data
        self.settle()

    def settle(self):
        """Bring both sides to where they should be: bytes carried on, reading paused, ends told."""
        if self.silent:
            return
        if self.link.mode in ("pass", "deaf"):
            self._call()
            for end in (self.client, self.server):
                self.flush(end, len(end.held))
                if end.other.gone and not end.held and not end.gone and end.transport is not None:
                    end.transport.close()
        self._pace()
        if self.client.gone and (self.server.gone or self.server.transport is None) and not self.calling:
            self.link.connections.discard(self)

    def flush(self, end: End, most: int):
        """Hand up to `most` bytes that are on their way to this side."""
        if most and end.held and end.transport is not None and not end.gone:
            end.transport.write(bytes(end.held[:most]))
            del end.held[:most]

    def tick(self, most: int):
        """A slow link's turn: so many bytes in each direction."""
        self._call()
        for end in (self.client, self.server):
            self.flush(end, most)
            if end.other.gone and not end.held and not end.gone and end.transport is not None:
                end.transport.close()
        self._pace()

    def heal(self):
        if self.corrupt or self.silent:
            self.end()
        self.settle()

    def end(self):
        self.client.abort()
        self.server.abort()
        self.link.counts["broken"] += 1
        self.link.connections.discard(self)

    def open_half(self, side: str):
        """This side's end is gone, and the other is not told."""
        self.silent = True
        self.link.counts["half-open"] += 1
        (self.client if side == "client" else self.server).abort()

    def _call(self):
        if self.server.transport is None and not self.calling and not self.client.gone:
            self.calling = True
            asyncio.ensure_future(self._reach())

    async def _reach(self):
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, *self.link.target)
        except OSError:
            self.client.abort()
        finally:
            self.calling = False
        if self.client.gone:
            self.server.abort()
        self.settle()

    def _pace(self):
        # What a side cannot take (or may not, just now) is left with the kernel of the sender: that is how TCP holds back.
        for end in (self.client, self.server):
            source = end.other.transport
            if source is None or end.other.gone:
                continue
            full = end.choked or len(end.held) > 16384
            if full and source.is_reading():
                source.pause_reading()
            elif not full and not source.is_reading() and not source.is_closing():
                source.resume_reading()


class Link:
    """One port, its target and the connections between them."""

    def __init__(self, target):
        self.target = target
        self.mode, self.rate = "pass", 0
        self.connections = set()
        self.counts = Counter()
        self.port = None
        self._listener = None

    async def listen(self):
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self).client, "127.0.0.1", 0, backlog=1024
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def set(self, mode: str, rate: int = 0):
        if mode not in ("pass", "cut", "hole", "slow", "deaf"):
            raise ValueError(f"no such mode: {mode}")
        self.mode, self.rate = mode, rate
        for connection in list(self.connections):
            if mode == "cut":
                connection.end()
            elif mode == "pass":
                connection.heal()

    def open_half(self, side: str):
        for connection in list(self.connections):
            connection.open_half(side)

    def tick(self):
        if self.mode == "slow":
            for connection in list(self.connections):
                if not connection.silent:
                    connection.tick(max(1, int(self.rate * TICK_SECONDS)))


class Board:
    """All links of one process, and the commands for them."""

    def __init__(self):
        self.links: dict[str, Link] = {}

    async def do(self, command: dict):
        chosen = [self.links[name] for name in command.get("names", ())]
        match command["do"]:
            case "add":
                link = self.links[command["name"]] = Link(tuple(command["target"]))
                await link.listen()
                return link.port
            case "set":
                for link in chosen:
                    link.set(command["mode"], command.get("rate", 0))
            case "half-open":
                for link in chosen:
                    link.open_half(command["side"])
            case "counts":
                return {name: dict(link.counts) for name, link in self.links.items()}

    async def serve(self, path: str):
        server = await asyncio.start_unix_server(self._hear, path)
        async with server:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                for link in self.links.values():
                    link.tick()

    async def _hear(self, reader, writer):
        while line := await reader.readline():
            writer.write(json.dumps({"is": await self.do(json.loads(line))}).encode() + b"\n")
            await writer.drain()
        writer.close()


if __name__ == "__main__":
    asyncio.run(Board().serve(sys.argv[1]))
