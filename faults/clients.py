"""Black-box clients: each a socket with its cursors, a replica built from it, and requests that are repeated with their key.

They know docs/protocol.md and docs/api.md, and write down everything they sent, were answered and saw.
"""

import asyncio
import itertools
import random
import time
import uuid
from contextlib import suppress

from faults import history as log
from faults.replica import Replica
from faults.wire import Connection, NoAnswer, Stream

BACKOFF = (0.1, 2.0)  # first and longest mean wait; shorter than a browser's, so that every outage is met more often
QUIET_SECONDS = 4.0  # without a byte, a client asks whether the path is alive; as long again, and it opens another
GIVE_UP_SECONDS = 10.0

# What the page of the first release says in `hello` besides where it stands, and what that of this build does.
FIRST_RELEASE = {
    "channels": ["unreadCountUpdated", "messageReadUpdated", "chatMessageNotification"],
    "presence": True,
}
THIS_BUILD = {"channels": ["unreadCountUpdated", "messageReadUpdated"], "presence": True}

_sockets = itertools.count(1)
_tokens = itertools.count(1)
operations = itertools.count(1)


class Person:
    """An account, and its present session, which several clients may share."""

    def __init__(self, user: str, username: str, password: str, token: str):
        self.user, self.username, self.password = user, username, password
        self.signed_in = asyncio.Event()
        self.renew(token)

    def renew(self, token: str):
        self.token, self.session = token, next(_tokens)
        self.signed_in_at = time.monotonic()
        self.changing = False  # whether one of the clients is about to sign in
        self.signed_in.set()


class Client:
    def __init__(self, name: str, person: Person, port: int, speech: dict | None = None):
        """`speech`: what its `hello` says besides where it stands."""
        self.name, self.person, self.port = name, person, port
        self.history = log.History(name, person.user)
        self.replica = Replica(speech)
        self.instance = None  # that the present socket is on
        self.busy = 0
        self.resumed = 0  # sockets opened with cursors
        self._idle: list[Connection] = []
        self._stream = None
        self._wake = asyncio.Event()
        self._tasks = set()

    def start(self):
        self._spawn(self._live())

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._drop()
        for connection in self._idle:
            connection.close()

    def online(self):
        """As the browser's `online`: reconnect at once."""
        self._wake.set()

    @property
    def ready(self) -> bool:
        """Synced, and every chat's snapshot is there."""
        return self.replica.synced and all(chat.loaded for chat in self.replica.chats.values())

    # The stream

    async def _live(self):
        attempt = 0
        while True:
            await self.person.signed_in.wait()
            if await self._one_socket():
                attempt = 0
            attempt += 1
            most = min(BACKOFF[0] * 2**attempt, BACKOFF[1])
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), random.uniform(0, most))
            self._wake.clear()

    async def _one_socket(self) -> bool:
        """One socket from its opening to its end; whether it got as far as `synced`."""
        number, session, token = next(_sockets), self.person.session, self.person.token
        self.replica.synced = False
        try:
            self._stream = await Stream.open(self.port, token, QUIET_SECONDS)
        except NoAnswer:
            return False
        hello = self.replica.hello()
        self.resumed += bool(hello["cursors"])
        self.history.add(log.Opened(time.monotonic(), number, session, hello["epoch"], hello["cursors"]))
        self._stream.say(hello)
        try:
            await self._listen(number)
        finally:
            code = self._stream.code
            self._drop()
            self.history.add(log.Closed(time.monotonic(), number, code))
            synced, self.replica.synced = self.replica.synced, False
        if code == 4401 and self.person.session == session:
            self.person.signed_in.clear()
            if not self.person.changing:  # a session that nobody ended: a restored database does not know it
                self._spawn(self._sign_in())
        return synced

    async def _listen(self, number):
        asked = False
        while True:
            try:
                frame = await self._stream.hear(QUIET_SECONDS)
            except asyncio.TimeoutError:
                if asked:
                    return
                asked = True
                self._stream.say({"type": "ping"})
                continue
            if frame is None:
                return
            asked = False
            self.history.add(log.Saw(time.monotonic(), number, frame))
            if frame["type"] == "welcome":
                self.instance = frame["instance"]
            for chat_id in self.replica.apply(frame):
                self._spawn(self._load(chat_id, self.replica.chats[chat_id]))

    def _drop(self):
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()

    async def _load(self, chat_id, chat):
        """Fetch a chat's snapshot, for as long as the replica wants this one."""
        while self.replica.chats.get(chat_id) is chat:
            try:
                _, _, view = await self.ask("GET", f"/api/chats/{chat_id}")
                _, _, page = await self.ask("GET", f"/api/chats/{chat_id}/messages?limit=100")
                if view and page and "items" in page and "head" in view:
                    chat.load(view, page)
                    return
            except NoAnswer:
                pass
            await asyncio.sleep(random.uniform(0.1, 0.5))

    # Requests

    async def ask(self, method: str, path: str, body=None, key: str | None = None, through: Connection | None = None):
        """One request, signed in: `(status, headers, body)`; perhaps `through` a connection past nginx. Raises `NoAnswer`."""
        headers = {"Authorization": f"Bearer {self.person.token}"}
        if key:
            headers["Idempotency-Key"] = key
        if through is not None:
            return await through.request(method, path, headers, body, GIVE_UP_SECONDS)
        connection = self._idle.pop() if self._idle else Connection(self.port)
        answer = await connection.request(method, path, headers, body, GIVE_UP_SECONDS)
        self._idle.append(connection)
        return answer

    async def perform(self, kind: str, method: str, path: str, body=None, *, retry=True, through=None, **about):
        """One operation, written down: repeated with its key and backoff until it is answered.

        Answers `(status, body)` of the last attempt, both None where it had no answer. `about` is what the history says of it.
        """
        number, key = next(operations), str(uuid.uuid4())
        self.busy += 1
        try:
            for attempt in itertools.count(1):
                status, answer = await self._attempt(
                    number, key, kind, method, path, body, about, through if attempt == 1 else None
                )
                again = status is None or status >= 500 or status == 429 or status == 401 and kind != "sign-out"
                if not again or not retry:
                    return status, answer
                await asyncio.sleep(random.uniform(0, min(BACKOFF[0] * 2**attempt, BACKOFF[1])))
                if status == 401:
                    await self.person.signed_in.wait()
        finally:
            self.busy -= 1

    async def _attempt(self, number, key, kind, method, path, body, about, through):
        self.history.add(log.Sent(time.monotonic(), number, kind, key, **about))
        try:
            status, headers, answer = await self.ask(method, path, body, key, through)
        except NoAnswer as error:
            self.history.add(log.Unanswered(time.monotonic(), number, str(error)))
            return None, None
        except BaseException:
            self.history.add(log.Unanswered(time.monotonic(), number, "the rig stopped"))
            raise
        seq = int(headers["parley-seq"]) if "parley-seq" in headers else None
        self.history.add(log.Answered(time.monotonic(), number, status, seq, answer))
        return status, answer

    async def sign_out_and_in(self):
        """End the session everywhere, wait for that to show, and begin another."""
        person, session = self.person, self.person.session
        if person.changing:
            return
        person.changing = True
        if (await self.perform("sign-out", "POST", "/api/sign-out"))[0] == 204:
            self.history.add(log.SignedOut(time.monotonic(), session))
        await asyncio.sleep(random.uniform(0, 3))
        if person.session == session:  # no other client of the same person was faster
            await self._sign_in()

    async def _sign_in(self):
        person = self.person
        person.changing = True
        body = {"username": person.username, "password": person.password}
        _, answer = await self.perform("sign-in", "POST", "/api/sign-in", body)
        person.renew(answer["token"])
        self.history.add(log.SignedIn(time.monotonic(), person.session))

    def _spawn(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
