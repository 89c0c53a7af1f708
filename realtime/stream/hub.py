"""Who is connected here: clients by user, and the chats that they follow. Plain bookkeeping; no I/O and no decisions."""

import itertools
from collections import Counter

from realtime.stream.chat_stream import ChatStream
from realtime.transport.backpressure import Backpressure
from realtime.transport.write_queue import WriteQueue


class Hub:
    """The clients of one instance and the chats that they follow.

    `watched(stream)` is called when a chat has its first client, `unwatched(stream)` when its last one has left.
    """

    def __init__(
        self,
        queue: WriteQueue,
        backpressure: Backpressure,
        *,
        watched=lambda stream: None,
        unwatched=lambda stream: None,
    ):
        self._queue, self._backpressure = queue, backpressure
        self._watched, self._unwatched = watched, unwatched
        self.clients = set()
        self.opened = 0  # sockets that have ever come
        self.sockets = Counter()  # user id → sockets, also those that have not said hello
        self.users: dict[str, tuple] = {}  # user id → their clients; a set of one would be four times as large
        # user id → the membership version that their clients agree with; negative where an event has put it in doubt
        self.versions: dict[str, int] = {}
        self._doubts = itertools.count(-1, -1)
        self.streams: dict[str, ChatStream] = {}  # by chat
        self.listening = Counter()  # channel → clients that have asked for it
        self.turnover = 0  # how often a user has come or gone
        self.asking = set()  # clients that want to know who is online
        # Those of them that must be told everything: their chats have changed, or they missed something.
        self.moved = set()

    def connect(self, client):
        """A socket is there. It follows no chat yet."""
        self.clients.add(client)
        self.opened += 1
        self.sockets[client.user_id] += 1

    def add(self, client, version: int):
        """The client is about to follow its chats, as of this membership version."""
        if client.user_id not in self.users:
            self.turnover += 1
        self.users[client.user_id] = (*self.users.get(client.user_id, ()), client)
        self.listening.update(client.channels)
        # The older of two: a client that was opened before a change must be told of it.
        self.versions[client.user_id] = min(version, self.versions.get(client.user_id, version))

    def ask(self, client):
        """The client wants to know who is online."""
        if client in self.clients:
            self.asking.add(client)
            self.moved.add(client)

    def doubt(self, user_id: str):
        """An event let the user's clients into or out of a chat. It may have been an old one, so the next check compares."""
        if user_id in self.versions:
            self.versions[user_id] = next(self._doubts)

    def remove(self, client):
        """Forget a client, and the chats that nobody else follows."""
        if client in self.clients:
            self.clients.discard(client)
            self.sockets[client.user_id] -= 1
            if not self.sockets[client.user_id]:
                del self.sockets[client.user_id]
        self.asking.discard(client)
        self.moved.discard(client)
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
            self._watched(stream)
        return stream

    def attach(self, client, stream: ChatStream, position: int):
        """The client follows the chat from `position` on. A socket that has just ended follows nothing any more."""
        if client not in self.clients:
            return
        # The last one may have left while a page of events is delivered, and the page may let somebody in again.
        if stream.chat_id not in self.streams:
            self.streams[stream.chat_id] = stream
            self._watched(stream)
        if stream.chat_id not in client.streams and client in self.asking:
            self.moved.add(client)
        client.streams[stream.chat_id] = stream
        stream.follow(client, position)

    def detach(self, client, stream: ChatStream):
        """The client follows the chat no longer."""
        stream.unfollow(client)
        if client.streams.pop(stream.chat_id, None) and client in self.asking:
            self.moved.add(client)
        if not stream.is_followed and self.streams.pop(stream.chat_id, None):
            self._unwatched(stream)

    def clear(self):
        """Forget the chats, after the clients."""
        while self.streams:
            self._unwatched(self.streams.popitem()[1])
