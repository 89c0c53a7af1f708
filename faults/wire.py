"""HTTP/1.1 and WebSocket as a client speaks them, over plain sockets: every byte of the rig's own making, every failure seen."""

import asyncio
import base64
import json
import os
import struct

FAILURES = (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)


class NoAnswer(Exception):
    """The request may or may not have happened."""


class Connection:
    """A connection for requests, kept open between them. Not for two requests at a time."""

    def __init__(self, at: int | str):
        """`at` a port of this machine, or the path of a unix socket."""
        self._at = at
        self._streams = None

    async def request(self, method: str, path: str, headers: dict, body, seconds: float):
        """`(status, headers, decoded JSON or None)`. Raises `NoAnswer` when the connection fails or time is up."""
        try:
            return await asyncio.wait_for(self._request(method, path, headers, body), seconds)
        except FAILURES as error:
            self.close()
            raise NoAnswer(type(error).__name__) from None
        except BaseException:
            self.close()
            raise

    def close(self):
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()

    async def _request(self, method, path, headers, body):
        if self._streams is None:
            self._streams = await (
                asyncio.open_unix_connection(self._at, limit=2**22)
                if isinstance(self._at, str)
                else asyncio.open_connection("127.0.0.1", self._at, limit=2**22)
            )
        reader, writer = self._streams
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: parley",
            f"Content-Length: {len(content)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if body is not None:
            lines.append("Content-Type: application/json")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        status, answered = _head(await reader.readuntil(b"\r\n\r\n"))
        text = b"" if status == 204 else await reader.readexactly(int(answered["content-length"]))
        if answered.get("connection", "").lower() == "close":
            self.close()
        return status, answered, json.loads(text) if text and "json" in answered.get("content-type", "") else None


def _head(text: bytes):
    first, *lines = text.decode().split("\r\n")
    fields = (line.split(":", 1) for line in lines if line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, value in fields}


class Stream:
    """One WebSocket with the subprotocol `parley.v1`."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()
        self.code = None  # of the close frame, once it came

    @classmethod
    async def open(cls, port: int, token: str, seconds: float):
        """Raises `NoAnswer`."""
        try:
            return await asyncio.wait_for(cls._open(port, token), seconds)
        except FAILURES as error:
            raise NoAnswer(type(error).__name__) from None

    @classmethod
    async def _open(cls, port, token):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                (
                    "GET /ws HTTP/1.1\r\nHost: parley\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: parley.v1\r\n"
                    f"Authorization: Bearer {token}\r\n\r\n"
                ).encode()
            )
            status, _ = _head(await reader.readuntil(b"\r\n\r\n"))
            if status != 101:
                raise ValueError(f"status {status}")
        except BaseException:
            writer.transport.abort()
            raise
        return cls(reader, writer)

    def say(self, frame: dict):
        self._write(0x1, json.dumps(frame).encode())

    async def hear(self, seconds: float) -> dict | None:
        """The next frame, or None after the end. Raises `asyncio.TimeoutError` when not a byte came for so long."""
        while True:
            found = self._parse()
            if found is None:
                try:
                    data = await asyncio.wait_for(self._reader.read(65536), seconds)
                except OSError as error:
                    if isinstance(error, asyncio.TimeoutError):
                        raise
                    data = b""
                if not data:
                    return None
                self._buffer += data
                continue
            opcode, payload = found
            if opcode == 0x1:
                return json.loads(payload)
            if opcode == 0x8:
                self.code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                self._write(0x8, payload[:2])
                return None
            if opcode == 0x9:
                self._write(0xA, payload)

    def abort(self):
        self._writer.transport.abort()

    def _parse(self):
        """`(opcode, payload)` of a whole frame in the buffer. The server sends no fragments."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        frame = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return frame

    def _write(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = (
            struct.pack("!BB", 0x80 | opcode, 0x80 | size)
            if size < 126
            else struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
            if size < 65536
            else struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
        )
        whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        if not self._writer.transport.is_closing():
            self._writer.write(head + mask + whole.to_bytes(size, "big"))
