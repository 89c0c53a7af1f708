"""A client of Parley for tests, written from docs/protocol.md and docs/api.md alone: it imports nothing of the server.

`User` is somebody with a token; `Stream` is a socket of theirs, `Poll` the same without one. Both keep their cursors as the
protocol says, check every frame against it as it arrives, and know it for good once the server has broken it.
"""

import asyncio
import contextlib
import itertools
import json
import random
import socket
import struct
import time
import uuid
from dataclasses import dataclass

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

from chat.channels import ABOUT_CHATS, CHANNELS, LOGGED, PROJECTIONS, STATES

SUBPROTOCOL = "parley.v1"
NO_ANSWER = (OSError, HTTPError)  # no connection, or one that ended before the answer
COME_BACK = (None, 1001, 1006, 1012, 1013)  # close codes after which a client connects again

OBJECTS = {name: list(channel.fields) for name, channel in CHANNELS.items()}

_numbers = itertools.count(1)


async def until(condition, seconds: float = 5.0, what: str = "what the test waits for"):
    """Wait until the condition, a function or a coroutine function, answers something true, and answer that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)


# HTTP


@dataclass
class Answer:
    """What came back: the status, the decoded body (None where there is none), the headers, and how long it took."""

    status: int
    body: object
    headers: object
    seconds: float

    @property
    def seq(self) -> int | None:
        """The place of the mutation's event in its chat."""
        return int(self.headers["Parley-Seq"]) if "Parley-Seq" in self.headers else None

    @property
    def code(self) -> str | None:
        """The error's code, once its shape has been checked."""
        if self.status < 400:
            return None
        assert set(self.body) == {"error"} and set(self.body["error"]) == {"code", "message", "field"}, self.body
        return self.body["error"]["code"]

    @property
    def essence(self) -> tuple:
        """What a retry must repeat."""
        return self.status, self.body, self.seq


async def request(url, method, path, body=None, *, headers=None, seconds=20.0) -> Answer:
    """One request. Raises one of `NO_ANSWER` where there is none."""
    headers = dict(headers or {})
    if body is not None:
        headers["Content-Type"] = "application/json"
    started = time.monotonic()
    # As many at a time as a test likes; the first of a loop decides.
    response = await AsyncHTTPClient(max_clients=500).fetch(
        HTTPRequest(
            url + path,
            method,
            headers,
            json.dumps(body) if body is not None else None,
            connect_timeout=seconds,
            request_timeout=seconds,
            allow_nonstandard_methods=True,
            follow_redirects=False,
        ),
        raise_error=False,
    )
    is_json = "json" in response.headers.get("Content-Type", "")
    decoded = json.loads(response.body) if is_json else response.body.decode() or None
    return Answer(response.code, decoded, response.headers, time.monotonic() - started)


class User:
    """Somebody signed in. `url` is where they go unless a call says `at=` another instance."""

    def __init__(self, url: str, user: dict, token: str, password: str):
        self.url, self.id, self.name, self.token, self.password = url, user["id"], user["username"], token, password

    @classmethod
    async def sign_up(cls, url: str, name: str | None = None, password="a long enough password") -> "User":
        name = name or f"user{next(_numbers)}"
        answer = await request(url, "POST", "/api/sign-up", {"username": name, "password": password})
        assert answer.status == 201, answer
        return cls(url, answer.body["user"], answer.body["token"], password)

    async def sign_in(self) -> "User":
        """The same person in another session."""
        answer = await request(self.url, "POST", "/api/sign-in", {"username": self.name, "password": self.password})
        assert answer.status == 200, answer
        return User(self.url, answer.body["user"], answer.body["token"], self.password)

    async def request(self, method, path, body=None, *, at=None, key=None, seconds=20.0, headers=None) -> Answer:
        """One request; a mutation has an Idempotency-Key, a new one unless `key` is given."""
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if method != "GET":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        return await request(at or self.url, method, path, body, headers=headers, seconds=seconds)

    async def get(self, path, *, at=None) -> object:
        """The body of a GET that must succeed."""
        return self._good(await self.request("GET", path, at=at))

    async def do(self, method, path, body=None, **how) -> Answer:
        """One request that must succeed."""
        answer = await self.request(method, path, body, **how)
        self._good(answer)
        return answer

    async def insist(self, method, path, body=None, *, at=None, key=None, seconds=20.0) -> Answer:
        """As a good client does: the same request with the same key, until there is an answer that says more than "try again".

        `at` may be a list of addresses; each try takes the next one.
        """
        key = key or str(uuid.uuid4())
        deadline = time.monotonic() + seconds
        for address in itertools.cycle(at if isinstance(at, list) else [at]):
            with contextlib.suppress(*NO_ANSWER):
                answer = await self.request(
                    method, path, body, at=address, key=key, seconds=deadline - time.monotonic()
                )
                if answer.status not in (429, 503):
                    self._good(answer)
                    return answer
            assert time.monotonic() < deadline, f"no answer to {method} {path} within {seconds:g} s"
            await asyncio.sleep(0.05)

    async def group(self, *others: "User", name="A group", at=None) -> str:
        """A new group's id."""
        body = {"chatType": "group", "name": name, "participantIds": [other.id for other in others]}
        return (await self.do("POST", "/api/chats", body, at=at)).body["id"]

    async def send(self, chat_id, content="Hello", **how) -> dict:
        """A new message."""
        return (await self.do("POST", f"/api/chats/{chat_id}/messages", {"content": content}, **how)).body

    async def head(self, chat_id, *, at=None) -> int:
        return (await self.get(f"/api/chats/{chat_id}", at=at))["head"]

    def stream(self, **options) -> "Stream":
        return Stream(self, **options)

    def poll(self, **options) -> "Poll":
        return Poll(self, **options)

    @staticmethod
    def _good(answer):
        assert answer.status < 300, f"{answer.status} {answer.body}"
        return answer.body


# The stream


class Broken(AssertionError):
    """The server broke the protocol."""


class Replica:
    """What a client knows from its stream. `apply()` takes the frames in order and raises `Broken` at the first wrong one."""

    def __init__(self, user: User, channels=None, presence=False):
        self.user, self.channels, self.presence = user, channels, presence
        self.online = None  # ids of users; None: not known
        self.epoch = self.since = None
        self.cursors = {}  # chat id → seq of the last logged event
        self.frames = []  # (monotonic time of arrival, frame), of all connections
        self.log = {}  # chat id → [(seq, channel, data)] of all logged events
        self.notices = []  # (channel, data) of the projections
        self.unread = {}  # chat id → count
        self.watermarks = {}  # (chat id, user id) → seq
        self.values = {}  # (chat id, channel, *key) → (seq, object) of every other state
        self.joins, self.leaves, self.resets = [], [], []  # the frames
        self.synced = False
        self._fresh()

    def _fresh(self):
        """Forget what holds for one connection only."""
        self.synced = False
        self.online = None
        self.instance = None
        self._counted = {}  # chat id → seq of the last count
        self._void = set()  # chats that must be reset, because the epoch is another one

    def hello(self) -> dict:
        """The fields of `hello`."""
        wanted = {} if self.channels is None else {"channels": list(self.channels)}
        since = {} if self.since is None else {"since": self.since}
        asked = {"presence": True} if self.presence else {}
        return {"epoch": self.epoch, "cursors": self.cursors, **wanted, **since, **asked}

    def apply(self, frame: dict):
        self.frames.append((time.monotonic(), frame))
        try:
            getattr(self, f"_on_{frame['type']}")(frame)
        except (AssertionError, KeyError, AttributeError) as error:
            raise Broken(f"{error!r} at {frame} with cursors {self.cursors}") from error

    def _on_welcome(self, frame):
        assert self.instance is None, "welcome comes once"
        assert frame["userId"] == self.user.id
        self.instance = frame["instance"]
        if self.epoch not in (None, frame["epoch"]):
            self._void = set(self.cursors) & set(frame["heads"])
        self.epoch = frame["epoch"]
        for chat_id, head in frame["heads"].items():
            self.cursors.setdefault(chat_id, head)

    def _on_event(self, frame):
        channel, chat_id, seq, data = frame["channel"], frame["chatId"], frame["seq"], frame["data"]
        tombstone = ["deletedAt"] if channel == "messageAdded" and data and "deletedAt" in data else []
        assert data is None or list(data) == OBJECTS[channel] + tombstone, f"the object of {channel}"
        assert chat_id not in self._void, "an event before the reset"
        if channel not in PROJECTIONS:
            # An instance has no object of an event whose kind only another release knows; its seq counts like any other.
            assert (data is None) is (channel not in LOGGED), "an object of something else"
            assert data is None or data["id" if channel in ABOUT_CHATS else "chatId"] == chat_id
            assert seq == self.cursors[chat_id] + 1, "a gap or a double"
            self.cursors[chat_id] = seq
            self.log.setdefault(chat_id, []).append((seq, channel, data))
            if channel == "messageAdded":
                self._read_up_to(seq, chat_id, data["senderId"])  # sending reads
        else:
            assert channel in (self.channels or ()), "a channel that nobody asked for"
            assert data["senderId"] != self.user.id, "a notice to the sender"
            assert (seq, "messageAdded", data["message"]) in self.log[chat_id][-10:], "a notice that follows no message"
            self.notices.append((channel, data))

    def _on_state(self, frame):
        channel, chat_id, seq, data = frame["channel"], frame["chatId"], frame["seq"], frame["data"]
        assert channel in (STATES if self.channels is None else self.channels)
        assert list(data) == OBJECTS[channel], f"the object of {channel}"
        assert chat_id in self.cursors, "a state of a foreign chat"
        if channel == "unreadCountUpdated":
            assert (data["chatId"], data["userId"]) == (chat_id, self.user.id)
            assert seq >= self._counted.get(chat_id, 0), "an older count after a newer one"
            self._counted[chat_id] = seq
            self.unread[chat_id] = data["unreadCount"]
        elif channel == "messageReadUpdated":
            self._read_up_to(seq, chat_id, data["userId"])
        else:
            key = (chat_id, channel, *(data[name] for name in STATES[channel].key))
            self.values[key] = max(self.values.get(key, (0, {})), (seq, data), key=lambda value: value[0])

    def _read_up_to(self, seq, *reader):
        self.watermarks[reader] = max(seq, self.watermarks.get(reader, 0))

    def _on_joined(self, frame):
        assert frame["chatId"] not in self.cursors, "joined a chat that it was in"
        self.cursors[frame["chatId"]] = frame["seq"]
        self.joins.append(frame)

    def _on_left(self, frame):
        del self.cursors[frame["chatId"]]
        self._void.discard(frame["chatId"])
        self.unread.pop(frame["chatId"], None)
        self.leaves.append(frame)

    def _on_reset(self, frame):
        assert frame["reason"] in ("epoch", "ahead", "floor", "behind")
        assert frame["chatId"] in self.cursors
        self.cursors[frame["chatId"]] = frame["head"]
        self._void.discard(frame["chatId"])
        self.resets.append(frame)

    def _on_synced(self, frame):
        assert not self.synced, "synced comes once"
        assert frame["heads"] == self.cursors, "synced heads are not what was sent"
        assert not self._void, "chats of another epoch without a reset"
        self.synced, self.since = True, frame["at"]

    def _on_typing(self, frame):
        assert frame["chatId"] in self.cursors and frame["userId"] != self.user.id

    def _on_presence(self, frame):
        assert self.presence and self.synced, "presence that was not asked for"
        self.online = None if frame["online"] is None else set(frame["online"])

    def _on_presenceChanged(self, frame):
        assert self.user.id not in frame["online"] + frame["offline"], "a change of oneself"
        self.online = (self.online | set(frame["online"])) - set(frame["offline"])

    def _on_draining(self, frame):
        assert frame["retryAfterMs"] >= 0

    def _on_pong(self, frame):
        pass

    def _on_error(self, frame):
        assert set(frame["error"]) == {"code", "message", "field"}

    # What the tests ask

    def seqs(self, chat_id) -> list:
        return [seq for seq, _, _ in self.log.get(chat_id, ())]

    def contents(self, chat_id) -> list:
        """Texts of the messages in the order in which they came."""
        return [data["content"] for _, channel, data in self.log.get(chat_id, ()) if channel == "messageAdded"]

    def of_type(self, kind) -> list:
        """Frames of one type."""
        return [frame for _, frame in self.frames if frame["type"] == kind]

    def arrival(self, content) -> float | None:
        """When (monotonic) the message with this text came."""
        for at, frame in self.frames:
            if frame.get("channel") == "messageAdded" and frame["data"]["content"] == content:
                return at
        return None


class Poll(Replica):
    """A client without WebSockets: POST /api/sync."""

    async def sync(self, *, at=None, seconds=20.0):
        """Ask until everything has been told. Raises one of `NO_ANSWER`, and may be called again after it."""
        while True:
            self._fresh()
            answer = await self.user.request("POST", "/api/sync", self.hello(), at=at, seconds=seconds)
            assert answer.status == 200, answer
            for frame in answer.body["items"]:
                self.apply(frame)
            if self.synced:
                return


class Stream(Replica):
    """One socket after the other of one client."""

    def __init__(self, user: User, channels=None, presence=False):
        super().__init__(user, channels, presence)
        self.close_code = None  # of the last socket; None while it is open and where the path broke
        self.fault = None
        self._socket = self._reader = self._staying = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._closed = asyncio.Event()

    @property
    def connected(self) -> bool:
        return self._socket is not None and not self._closed.is_set()

    async def open(self, at=None, *, hello=True, headers=None, seconds=5.0) -> "Stream":
        """Connect to `at` and say hello. Raises one of `NO_ANSWER` where nobody is there."""
        assert not self.connected
        base = (at or self.user.url).replace("http", "ws", 1)
        signed = {"Authorization": f"Bearer {self.user.token}"} if self.user.token else {}
        there = HTTPRequest(
            f"{base}/ws", headers={**signed, **(headers or {})}, connect_timeout=seconds, request_timeout=seconds
        )
        self._fresh()
        self.close_code = None
        self._socket = await websocket_connect(there, subprotocols=[SUBPROTOCOL])
        assert self._socket.selected_subprotocol == SUBPROTOCOL
        self._closed.clear()
        if hello:
            self.write({"type": "hello", **self.hello()})
        self._reader = asyncio.ensure_future(self._read(self._socket))
        return self

    @property
    def _tornado(self):
        return self._socket.protocol.stream

    def write(self, frame):
        """Send a frame: an object, a text, or bytes (as a binary frame)."""
        with contextlib.suppress(WebSocketClosedError):
            text = json.dumps(frame) if isinstance(frame, dict) else frame
            self._socket.write_message(text, binary=isinstance(frame, bytes))

    async def _read(self, connection):
        try:
            while True:
                await self._may_read.wait()
                text = await connection.read_message()
                if text is None:
                    self.close_code = connection.close_code
                    return
                await self._may_read.wait()
                self.apply(json.loads(text))
        except Exception as error:
            self.fault = error
        finally:
            self._closed.set()

    def hold(self):
        """Go silent: read nothing, answer no ping, but stay connected."""
        self._may_read.clear()
        self._tornado.io_loop.remove_handler(self._tornado.fileno())

    def release(self):
        """Read on after `hold()`."""
        self._may_read.set()
        stream = self._tornado
        if not stream.closed():
            stream.io_loop.add_handler(stream.fileno(), stream._handle_events, stream._state)

    async def cut(self):
        """End the connection as a broken path does, without a word. What was not read yet is lost."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._socket is not None and self._socket.protocol is not None:
            stream = self._socket.protocol.stream
            if not stream.closed():
                # A reset instead of a polite end.
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stream.close()
            self._socket.protocol = None
        self._closed.set()

    async def close(self):
        """End for good."""
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.gather(self._staying, return_exceptions=True)
        await self.cut()

    def stay(self, *urls: str) -> "Stream":
        """Connect to any of the addresses and, whenever the socket ends, again, as long as the close code allows it."""
        self._staying = asyncio.ensure_future(self._stay(urls or (self.user.url,)))
        return self

    async def _stay(self, urls):
        while self.fault is None and self.close_code in COME_BACK:
            if not self.connected:
                with contextlib.suppress(*NO_ANSWER):
                    await self.open(random.choice(urls))
            if self.connected:
                await self._closed.wait()
            told = [frame["retryAfterMs"] for frame in self.of_type("draining")[-1:] if self.close_code == 1012]
            await asyncio.sleep(random.uniform(0, 0.2) + sum(told) / 1000)

    async def until(self, condition, seconds: float = 5.0, what: str | None = None):
        """Wait until the condition, a function without arguments, answers something true. Raises at once where the protocol is broken."""

        def met():
            if self.fault is not None:
                raise self.fault
            return condition()

        try:
            return await until(met, seconds)
        except AssertionError as error:
            if error is self.fault:
                raise
            recent = "\n".join(str(frame)[:300] for _, frame in self.frames[-5:])
            raise AssertionError(
                f"{self.user.name}: not within {seconds:g} s: {what or 'the condition'}; connected {self.connected}, close code"
                f" {self.close_code}, cursors {self.cursors}; the last of {len(self.frames)} frames:\n{recent}"
            ) from None

    async def until_synced(self, seconds=5.0):
        await self.until(lambda: self.synced, seconds, "synced")

    async def until_at(self, chat_id, seq, seconds=5.0):
        """Wait for everything up to `seq`."""
        await self.until(lambda: self.cursors.get(chat_id, 0) >= seq, seconds, f"seq {seq} of {chat_id}")

    async def until_closed(self, code, seconds=5.0):
        """Wait for the server to close the socket with this code."""
        await self.until(self._closed.is_set, seconds, f"closed with {code}")
        assert self.close_code == code
