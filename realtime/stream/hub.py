"""Who is connected here: sessions by user, and the chats that they watch. Plain bookkeeping; no I/O and no decisions."""

import itertools
from collections import Counter

from realtime.transport.broadcast import Broadcast
from realtime.transport.socket_writer import write_queue


class ChatStream:
    """One chat that has a socket here.

    Every attached session is at `position`, so a delivery looks at no position. The others are in `behind` with theirs: being caught
    up, or ahead because their replay saw a commit before this instance heard of it.
    """

    __slots__ = (
        "chat_id",
        "position",
        "newest_seen",
        "count_due",
        "outgoing",
        "outgoing_bytes",
        "outgoing_since",
        "pulling",
        "attached",
        "behind",
        "counts",
        "reads",
        "waiting",
        "stale_counts",
        "participants",
    )

    def __init__(self, chat_id: str, position: int):
        self.chat_id = chat_id
        self.position = position  # this instance's position
        self.newest_seen = position  # the newest seq that is known to exist
        self.count_due = None  # the newest event that published unread counts go with, until the next check
        self.outgoing: list[bytes] = []  # frames for all attached sessions that are not on their wires yet
        self.outgoing_bytes = 0
        self.outgoing_since = position  # `position` before them
        self.pulling = False
        self.attached = Broadcast()  # by session
        self.behind = {}
        self.counts = {}  # user id → the unread count last sent, as its event
        self.reads = {}  # user id → watermark last sent
        self.waiting = []  # states that presuppose events not delivered yet
        self.stale_counts = None  # users whose unread counts are being worked out
        self.participants = None  # for presence: none where there are too many, None where nobody has asked yet

    def clients(self) -> list:
        return [*self.attached, *self.behind]

    def user_ids(self) -> set[str]:
        return {client.user_id for client in self.attached} | {client.user_id for client in self.behind}


class Hub:
    """The sessions and watches of one instance. `unwatched(watch)` is called when a chat has no session any more, `watched(watch)` when it has one."""

    def __init__(self, unwatched=lambda stream: None, watched=lambda stream: None):
        self._unwatched, self._watched = unwatched, watched
        self.clients = set()
        self.opened = 0  # sockets that have ever come
        self.sockets = Counter()  # user id → sockets, also those that have not said hello
        self.users: dict[str, tuple] = {}  # user id → their sessions; a set of one would be four times as large
        self.versions: dict[
            str, int
        ] = {}  # user id → membership version that their sessions agree with; negative: in doubt
        self._doubts = itertools.count(-1, -1)
        self.streams: dict[str, ChatStream] = {}
        self.listening = Counter()  # channel → sessions that have asked for it
        self.turnover = 0  # how often a user has come or gone
        self.asking = set()  # sessions that want to know who is online
        self.moved = (
            set()
        )  # those of them that must be told everything: their chats have changed, or they missed something

    def connect(self, client):
        """A socket is there; it watches nothing yet."""
        self.clients.add(client)
        self.opened += 1
        self.sockets[client.user_id] += 1

    def add(self, client, version: int):
        """The session is about to watch its chats, as of this membership version."""
        if client.user_id not in self.users:
            self.turnover += 1
        self.users[client.user_id] = (*self.users.get(client.user_id, ()), client)
        self.listening.update(client.channels)
        # The older of two: a session opened before a change must be told of it.
        self.versions[client.user_id] = min(version, self.versions.get(client.user_id, version))

    def ask(self, client):
        """The session wants to know who is online."""
        if client in self.clients:
            self.asking.add(client)
            self.moved.add(client)

    def doubt(self, user_id: str):
        """An event let the user's sessions into or out of a chat. It may have been an old one: the next check looks."""
        if user_id in self.versions:
            self.versions[user_id] = next(self._doubts)

    def remove(self, client):
        """Forget a session and the chats that nobody else watches."""
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
        """The chat's watch; a new one starts at `position`."""
        stream = self.streams.get(chat_id)
        if stream is None:
            stream = self.streams[chat_id] = ChatStream(chat_id, position)
            self._watched(stream)
        return stream

    def attach(self, client, stream: ChatStream, position: int):
        """The session watches the chat from `position` on. A socket that has just ended watches nothing any more."""
        if client not in self.clients:
            return
        if stream.outgoing:
            write_queue.queue_broadcasts()
        # The last one may have left while a page of events is delivered, and the page may let somebody in again.
        if stream.chat_id not in self.streams:
            self.streams[stream.chat_id] = stream
            self._watched(stream)
        if stream.chat_id not in client.streams and client in self.asking:
            self.moved.add(client)
        client.streams[stream.chat_id] = stream
        if position == stream.position:
            stream.behind.pop(client, None)
            stream.attached[client] = client.writer
        else:
            stream.attached.pop(client, None)
            stream.behind[client] = position

    def detach(self, client, stream: ChatStream):
        """The session does not watch the chat any more."""
        if stream.outgoing:
            write_queue.queue_broadcasts()
        if client.streams.pop(stream.chat_id, None) and client in self.asking:
            self.moved.add(client)
        stream.attached.pop(client, None)
        stream.behind.pop(client, None)
        if not stream.attached and not stream.behind and self.streams.pop(stream.chat_id, None):
            self._unwatched(stream)

    def clear(self):
        """Forget the chats, after the sessions."""
        while self.streams:
            self._unwatched(self.streams.popitem()[1])
