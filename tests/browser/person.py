"""Somebody with an account, acting over HTTP: what the tests need around what is shown in a window."""

import contextlib
import hashlib
import http.client
import json
import secrets
import uuid
from urllib.parse import urlsplit

import psycopg2
from argon2 import PasswordHasher

PASSWORD = "a long enough password"
# A hash as strong as those of real accounts takes longer than most of what the tests do with a person.
WEAK_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


class Person:
    """A new account in `database`, signed in at `url`; every call that does not succeed is an `AssertionError`."""

    def __init__(self, url: str, database: str, username: str, display_name: str):
        self.url, self.username, self.name = url, username, display_name
        self.token = secrets.token_urlsafe()
        self._connection = None
        with contextlib.closing(psycopg2.connect(database)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("select id from create_user(%s, %s, %s, null)", (username, display_name, WEAK_HASH))
            self.id = cursor.fetchone()[0]
            token_hash = hashlib.sha256(self.token.encode()).digest()
            cursor.execute("select create_session(%s, %s, 1, %s)", (self.id, token_hash, "tests/browser"))

    def call(self, method: str, path: str, body: dict | None = None):
        """The decoded body of the answer; None for an empty one."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers["Authorization"] = f"Bearer {self.token}"
        if method != "GET":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        status, text = self._exchange(method, path, None if body is None else json.dumps(body), headers)
        assert status < 300, (method, path, status, text)
        return json.loads(text) if text else None

    def _exchange(self, *request):
        for fresh in (self._connection is None, True):
            if fresh:
                self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
            try:
                self._connection.request(*request)
                response = self._connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError):
                # A kept connection may have ended meanwhile; the key makes it safe to ask again.
                self._connection.close()
                if fresh:
                    raise
        raise AssertionError("not reached")

    def direct(self, other: "Person") -> str:
        """The id of the direct chat with somebody."""
        return self.call("POST", "/api/chats", {"chatType": "direct", "participantIds": [other.id]})["id"]

    def group(self, name: str, *others: "Person", description: str | None = None) -> str:
        """The id of a new group, owned by this person."""
        ids = [other.id for other in others]
        body = {"chatType": "group", "name": name, "description": description, "participantIds": ids}
        return self.call("POST", "/api/chats", body)["id"]

    def say(self, chat_id: str, *texts: str) -> list:
        """Sends messages one after the other; answers their ids."""
        return [self.call("POST", f"/api/chats/{chat_id}/messages", {"content": text})["id"] for text in texts]

    def read(self, message_id: str):
        self.call("PUT", f"/api/messages/{message_id}/read")

    def unread(self, chat_id: str) -> int:
        return self.call("GET", f"/api/unread/{chat_id}")["unreadCount"]

    def messages(self, chat_id: str) -> list:
        """All messages of a chat, oldest first, deleted ones included."""
        found, before = [], ""
        while before is not None:
            page = self.call(
                "GET", f"/api/chats/{chat_id}/messages?limit=100" + (f"&before={before}" if before else "")
            )
            found, before = page["items"] + found, page["next"]
        return found

    def texts(self, chat_id: str) -> list:
        return [message["content"] for message in self.messages(chat_id)]
