"""The peers as processes: how each is started, what its clients say, and how an event reaches it over Redis."""

import json
import os
import socket
import sys
from pathlib import Path

import msgpack

from bench.peers import install
from local.processes import Process, inherited_environment


class Peer(Process):
    """One server on a port, or behind nginx on a unix socket. Raises `install.Missing` where it cannot be had."""

    name = "peer"
    dialect = "plain"
    path = "/ws"

    def __init__(self, stage, *, database="", port=None, socket_path: Path | None = None):
        super().__init__(self.name)
        self.port, self.socket_path = port, socket_path
        self._redis, self._database = stage.valkey.port, database
        self.program = self.installed()

    @classmethod
    def installed(cls) -> list:
        """The command line. Raises `install.Missing`."""
        raise NotImplementedError

    def command(self):
        return self.program

    def environment(self):
        listen = str(self.socket_path or self.port)
        return {
            **inherited_environment("PORT"),
            "LISTEN": listen,
            "REDIS_PORT": str(self._redis),
            "DATABASE_URL": self._database,
            "NODE_ENV": "production",
        }

    def prepare(self):
        if self.socket_path:
            self.socket_path.unlink(missing_ok=True)

    def ready(self):
        with socket.socket(socket.AF_UNIX if self.socket_path else socket.AF_INET) as probe:
            return probe.connect_ex(str(self.socket_path) if self.socket_path else ("127.0.0.1", self.port)) == 0

    @property
    def address(self) -> str:
        """What nginx calls it."""
        return f"unix:{self.socket_path}" if self.socket_path else f"127.0.0.1:{self.port}"

    def words(self, chat: str, count: int) -> list:
        """What each of its clients says to be let in."""
        return [""] * count

    def publish(self, message) -> tuple[str, bytes]:
        """Channel and payload of an event, an `events.Message`."""
        raise NotImplementedError

    def request(self, chat: str, user: str, content: str) -> list:
        """The HTTP request that sends a message."""
        return ["POST", "/messages", {}, json.dumps({"chatId": chat, "senderId": user, "content": content})]


class Ws(Peer):
    name = "Node ws"

    @classmethod
    def installed(cls):
        return ["node", install.node() / "ws.mjs"]

    def words(self, chat, count):
        return [chat] * count

    def publish(self, message):
        return f"peer.ws.{message.chat}", _json(
            {
                "type": "event",
                "channel": "messageAdded",
                "chatId": message.chat,
                "seq": message.seq,
                "data": message.shown,
            }
        )


class SocketIo(Peer):
    name = "Socket.IO"
    dialect = "socketio"

    @classmethod
    def installed(cls):
        return ["node", install.node() / "socketio.mjs"]

    def words(self, chat, count):
        return [chat] * count

    def publish(self, message):
        packet = {"type": 2, "data": ["messageAdded", message.shown], "nsp": "/"}
        return f"socket.io#/#{message.chat}#", msgpack.packb(
            ["bench", packet, {"rooms": [message.chat], "except": [], "flags": {}}]
        )


class Graphql(Peer):
    name = "graphql-ws"
    dialect = "graphql"
    path = "/graphql"

    @classmethod
    def installed(cls):
        return ["node", install.node() / "graphql.mjs"]

    def words(self, chat, count):
        return [chat] * count

    def publish(self, message):
        return "peer.messageAdded", _json({"messageAdded": message.shown})

    def request(self, chat, user, content):
        query = "mutation($chat: ID!, $content: String!) { createMessage(chatId: $chat, content: $content) { id content senderId chatId createdAt isEdited editedAt } }"
        body = {"query": query, "variables": {"chat": chat, "content": content}}
        return ["POST", "/graphql", {"Authorization": user}, json.dumps(body)]


class Channels(Peer):
    name = "Django Channels"

    @classmethod
    def installed(cls):
        return [
            install.channels(),
            "-m",
            "uvicorn",
            "--app-dir",
            Path(__file__).parent / "channels",
            "--log-level",
            "warning",
            "--ws-max-queue",
            "1024",
            "--backlog",
            "4096",
        ]

    def command(self):
        where = ["--uds", self.socket_path] if self.socket_path else ["--port", self.port]
        return [*self.program, *where, "app:application"]

    def publish(self, message):
        text = _json(
            {
                "type": "event",
                "channel": "messageAdded",
                "chatId": message.chat,
                "seq": message.seq,
                "data": message.shown,
            }
        )
        return "asgi__group__chat", msgpack.packb({"type": "chat.message", "text": text.decode()})


class Bare(Peer):
    name = "bare Tornado"

    @classmethod
    def installed(cls):
        return [sys.executable, "-m", "bench.peers.bare"]


class Limit(Process):
    """The C program: `send(10)` makes it send ten frames in one write to each of `count` sockets."""

    name = "the C loop"
    dialect = "raw"
    path = ""

    def __init__(self, stage, count: int, frame_bytes: int, *, port=None, socket_path=None):
        super().__init__(self.name)
        self.port, self.socket_path = port, socket_path
        self._fifo = stage.directory / f"send-{port or socket_path.stem}.fifo"
        self._command = [*self.program(), count, frame_bytes, socket_path or port, self._fifo]
        self._orders = None

    @staticmethod
    def program() -> list:
        """What to run. Raises `install.Missing`."""
        return [install.limit()]

    def command(self):
        return self._command

    def prepare(self):
        self._fifo.unlink(missing_ok=True)
        os.mkfifo(self._fifo)

    def ready(self):
        return "listening" in self.log

    def send(self, frames: int):
        if self._orders is None:
            self._orders = self._fifo.open("w")
        self._orders.write(f"{frames}\n")
        self._orders.flush()


class PythonLoop(Limit):
    """The same in Python: what is between the two is Python's, and no server in Python can be without it."""

    name = "a Python loop"

    @staticmethod
    def program():
        return [sys.executable, Path(__file__).parent / "send.py"]


def tables(people, chats: list[str], groups):
    """The peers' own tables, with these chats of these users, who are signed in with their ids."""
    people.rows((Path(__file__).parent / "schema.sql").read_text())
    for chat, members in zip(chats, groups, strict=True):
        ids = [people.ids[number] for number in members]
        people.rows("insert into peer.chats values (%s, %s)", chat, len(ids))
        people.rows("insert into peer.participants select %s, unnest(%s::uuid[])", chat, ids)
    people.rows("insert into peer.sessions select id, id from users")


def _json(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
