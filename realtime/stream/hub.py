"""Who is connected here: clients by user, and the chats that they follow. It keeps books, decides nothing and does no I/O."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from realtime.stream.chat_stream import ChatStream
from realtime.transport.backpressure import Backpressure
from realtime.transport.write_queue import WriteQueue

if TYPE_CHECKING:
    from realtime.stream.client import Client


class Hub:
    """The clients of one instance, and a `ChatStream` for each chat that one of them follows.

    `on_opened(stream)` is called when a chat gets its first client, `on_closed(stream)` when its last one has left.
    """

    def __init__(
        self,
        queue: WriteQueue,
        backpressure: Backpressure,
        *,
        on_opened: Callable[[ChatStream], object] = lambda stream: None,
        on_closed: Callable[[ChatStream], object] = lambda stream: None,
    ):
        self._queue, self._backpressure = queue, backpressure
        self._on_opened, self._on_closed = on_opened, on_closed
        self.clients: set[Client] = set()
        self.ever_connected = 0  # how many clients have ever come
        self.sockets: Counter[str] = Counter()  # by user, also those that have not said hello
        # By user id. Mostly one client each, and a set of one takes far more memory than a tuple.
        self.users: dict[str, tuple[Client, ...]] = {}
        # User id → the membership version that their clients agree with; negative where an event has put it in doubt.
        self.versions: dict[str, int] = {}
        self._doubts = itertools.count(-1, -1)
        self.streams: dict[str, ChatStream] = {}  # by chat id
        self.listening: Counter[str] = Counter()  # channel → clients that have asked for it
        self.turnover = 0  # how often a user has come or gone
        self.presence_clients: set[Client] = set()  # those that asked who is online
        # Those of them that need the whole list: their chats have changed, or they missed something.
        self.presence_outdated: set[Client] = set()

    def connect(self, client: Client):
        """A client is connected. It follows no chat yet."""
        self.clients.add(client)
        self.ever_connected += 1
        self.sockets[client.user_id] += 1

    def add(self, client: Client, version: int):
        """The client is about to follow its chats, as of this membership version."""
        if client.user_id not in self.users:
            self.turnover += 1
        self.users[client.user_id] = (*self.users.get(client.user_id, ()), client)
        self.listening.update(client.channels)
        # The older version counts: a client that opened before a change must still learn of it.
        self.versions[client.user_id] = min(version, self.versions.get(client.user_id, version))

    def follow_presence(self, client: Client):
        """The client asks who is online."""
        if client in self.clients:
            self.presence_clients.add(client)
            self.presence_outdated.add(client)

    def doubt(self, user_id: str):
        """An event let the user's clients into or out of a chat. It may have been an old event, so the next check compares."""
        if user_id in self.versions:
            self.versions[user_id] = next(self._doubts)

    def remove(self, client: Client):
        """Forget a client, and the chats that nobody else follows."""
        if client in self.clients:
            self.clients.discard(client)
            self.sockets[client.user_id] -= 1
            if not self.sockets[client.user_id]:
                del self.sockets[client.user_id]
        self.presence_clients.discard(client)
        self.presence_outdated.discard(client)
        for stream in list(client.streams.values()):
            self.detach(client, stream)
        if client in (clients := self.users.get(client.user_id, ())):
            self.listening.subtract(client.channels)
            if others := tuple(other for other in clients if other is not client):
                self.users[client.user_id] = others
            else:
                del self.users[client.user_id]
                self.turnover += 1
                self.versions.pop(client.user_id, None)

    def stream(self, chat_id: str, position: int) -> ChatStream:
        """The chat's stream; a new one starts at `position`."""
        stream = self.streams.get(chat_id)
        if stream is None:
            stream = self.streams[chat_id] = ChatStream(chat_id, position, self._queue, self._backpressure)
            self._on_opened(stream)
        return stream

    def is_open(self, stream: ChatStream) -> bool:
        """Whether this is still the stream of its chat."""
        return self.streams.get(stream.chat_id) is stream

    def attach(self, client: Client, stream: ChatStream, position: int):
        """The client follows the chat from `position` on, unless its socket has just ended."""
        if client not in self.clients:
            return
        # While a page of events is delivered the last client may leave, and a later event of the page may let one in again.
        if stream.chat_id not in self.streams:
            self.streams[stream.chat_id] = stream
            self._on_opened(stream)
        if stream.chat_id not in client.streams and client in self.presence_clients:
            self.presence_outdated.add(client)
        client.streams[stream.chat_id] = stream
        stream.follow(client, position)

    def detach(self, client: Client, stream: ChatStream):
        """The client no longer follows the chat."""
        stream.unfollow(client)
        if client.streams.pop(stream.chat_id, None) is not None and client in self.presence_clients:
            self.presence_outdated.add(client)
        if not stream.is_followed and self.streams.pop(stream.chat_id, None) is not None:
            self._on_closed(stream)

    def clear(self):
        """Forget all chats. The clients must be gone before."""
        while self.streams:
            self._on_closed(self.streams.popitem()[1])
