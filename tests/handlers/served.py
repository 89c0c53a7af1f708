"""An instance for the handlers' tests: the real application on real services, in a thread, and clients that hold every
answer against the OpenAPI document."""

import asyncio
import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass
from http.cookies import SimpleCookie

import jsonschema_rs
from argon2 import PasswordHasher
from tornado.netutil import bind_sockets

import settings
from chat.accounts import Accounts
from chat.sign_in_attempts import AttemptLimits
from handlers.application import ROUTES, Services, make_application
from realtime.node import Node
from store.database import Database
from web.openapi import document
from web.server import Server
from workers.worker import Limits
from workers.workers import Workers

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PASSWORD = "correct horse"


def until(condition, seconds=10):
    """Wait for a condition; its last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


class Recorder(Node):
    """A real Node that remembers what it was given."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.published, self.ended = [], []

    def publish(self, events):
        self.published += events
        return super().publish(events)

    def session_ended(self, session_id):
        self.ended.append(session_id)
        super().session_ended(session_id)


class Served:
    """The application, listening on `port` of loopback. `environment` are settings other than the defaults."""

    def __init__(self, database_url: str, redis_url: str, **environment):
        limits = {
            "SIGN_UP": "open",
            "SIGN_IN_ATTEMPTS_PER_ADDRESS": "100000",
            "MUTATIONS_PER_SECOND": "10000",
            **environment,
        }
        self.settings = settings.load({"DATABASE_URL": database_url, "REDIS_URL": redis_url, **limits})
        self.contract = Answers(document.build(ROUTES, self.settings))
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._failure = None
        self._thread.start()
        assert self._ready.wait(20)
        if self._failure:
            raise self._failure

    async def _serve(self):
        try:
            chosen = self.settings
            self.db = Database(chosen.database_url, seconds=chosen.database_seconds, lock_seconds=chosen.lock_seconds)
            await self.db.open()
            # A weak hash: what is tested here is not argon2.
            self.accounts = Accounts(
                self.db,
                AttemptLimits(
                    chosen.sign_in_attempts_per_account,
                    chosen.sign_in_attempts_per_address,
                    chosen.sign_in_window_seconds,
                ),
                days=chosen.session_days,
                open=chosen.sign_up == "open",
                hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
            )
            self.node = Recorder(self.db, chosen.redis_url, "web.1", demo=chosen.demo)
            workers = Workers(self.db, Limits(work_delay_seconds=0.01))
            self.node.on_commit = workers.committed
            await self.node.start()
            workers.start()
            self.services = Services(chosen, self.db, self.accounts, self.node)
            server = Server(
                make_application(self.services), idle_seconds=chosen.idle_connection_seconds, max_body_bytes=1024 * 1024
            )
            sockets = bind_sockets(0, "127.0.0.1")
            server.add_sockets(sockets)
            self.port = sockets[0].getsockname()[1]
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        except Exception as failure:
            self._failure = failure
            return
        finally:
            self._ready.set()
        await self._stop.wait()
        server.stop()
        server.close_all_connections()
        await workers.stop()
        await self.node.stop()
        self.accounts.close()
        await self.db.close()

    def run(self, coroutine):
        """Run a coroutine on the instance's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def rows(self, sql, *parameters):
        return self.run(self.db.rows(sql, *parameters))

    def stop(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **headers) -> "Client":
        """One that is not signed in."""
        return Client(self, headers)

    def user(self, name: str | None = None) -> "Client":
        """A new user, signed in by bearer token."""
        client = self._signed_up(name)
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {client.token}"
        return client

    def browser(self, name: str | None = None) -> "Client":
        """A new user, signed in by cookie, whose client sends the XSRF token as a browser's script would."""
        client = self._signed_up(name)
        client.headers["X-Xsrftoken"] = client.cookies["_xsrf"]
        return client

    def _signed_up(self, name):
        client = self.client()
        name = name or f"user-{uuid.uuid4().hex[:12]}"
        answer = client.post("/api/sign-up", {"username": name, "password": PASSWORD})
        assert answer.status == 201, answer
        client.user, client.token = answer.json["user"], answer.json["token"]
        client.id = client.user["id"]
        return client


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code; every answer that is one has exactly the error shape."""
        error = self.json["error"]
        assert set(self.json) == {"error"} and set(error) == {"code", "message", "field"}
        return error["code"]

    @property
    def field(self):
        return self.json["error"]["field"]

    @property
    def refusal(self) -> tuple:
        return self.status, self.code

    @property
    def seq(self):
        return self.headers["Parley-Seq"] and int(self.headers["Parley-Seq"])


class Client:
    """Speaks HTTP to a `Served`, keeps its cookies, and objects to answers that the document does not describe."""

    def __init__(self, served: Served, headers: dict):
        self.served = served
        self.headers = headers
        self.cookies = {}
        self.set_cookies = {}  # name → Morsel of the last answer that set it

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        """One request with exactly this body."""
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=20)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        self._keep_cookies(answer)
        self.served.contract.check(method, path, answer)
        return answer

    def request(self, method, path, body=None, key=None, headers=None) -> Answer:
        """One request with a JSON body, or none."""
        sent = dict(headers or {})
        if key is not None:
            sent["Idempotency-Key"] = key
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        return self.send(method, path, None if body is None else json.dumps(body, ensure_ascii=False).encode(), sent)

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def patch(self, path, body=None, **more):
        return self.request("PATCH", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def delete(self, path, body=None, **more):
        return self.request("DELETE", path, body, **more)

    def _keep_cookies(self, answer):
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.set_cookies[name] = morsel
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)

    # What many tests need first

    def chat(self, *others: "Client", **fields) -> str:
        """The id of a new group with these people."""
        answer = self.post("/api/chats", {"chatType": "group", "participantIds": [one.id for one in others], **fields})
        assert answer.status == 201, answer
        return answer.json["id"]

    def direct(self, other: "Client") -> str:
        answer = self.post("/api/chats", {"chatType": "direct", "participantIds": [other.id]})
        assert answer.status in (200, 201), answer
        return answer.json["id"]

    def say(self, chat_id: str, content: str = "Hello") -> dict:
        answer = self.post(f"/api/chats/{chat_id}/messages", {"content": content})
        assert answer.status == 201, answer
        return answer.json


class Answers:
    """The document as a judge of answers: the status is described, and the body has exactly the described fields."""

    def __init__(self, built: dict):
        self.document = built
        self._schemas = {name: _exact(schema) for name, schema in built["components"]["schemas"].items()}
        self._validators = {}

    def operation(self, method: str, path: str):
        """`(path template, operation)` that a request is for, or None."""
        segments = path.partition("?")[0].split("/")
        for template, operations in self.document["paths"].items():
            parts = template.split("/")
            if (
                method in METHODS
                and method.lower() in operations
                and len(parts) == len(segments)
                and all(
                    part == segment or part[:1] == "{" and segment
                    for part, segment in zip(parts, segments, strict=True)
                )
            ):
                return template, operations[method.lower()]
        return None

    def check(self, method, path, answer: Answer):
        found = self.operation(method, path)
        if found is None:
            return
        response = found[1]["responses"].get(str(answer.status))
        assert response is not None, f"{method} {path}: {answer.status} is not described: {answer.body[:300]}"
        if "$ref" in response:
            response = self.document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        if "content" not in response:
            assert answer.body == b"", f"{method} {path} answered {answer.status} with a body"
            return
        ((media, described),) = response["content"].items()
        assert answer.headers.get_content_type() == media
        if media == "application/json":
            self._validator(described["schema"]).validate(answer.json)

    def _validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.validator_for(
                {**schema, "components": {"schemas": self._schemas}}, validate_formats=True
            )
        return self._validators[key]


def _exact(schema):
    if isinstance(schema, list):
        return [_exact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    exact = {name: _exact(value) for name, value in schema.items()}
    if "properties" in exact:
        exact.setdefault("additionalProperties", False)
    return exact
