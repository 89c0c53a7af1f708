"""Who is connected here: sessions by user, and the chats that they watch. Plain bookkeeping; no I/O and no decisions."""

import itertools
from collections import Counter

from realtime.crowd import Crowd
from realtime.wire import tick


class Watch:
    """One chat that has a socket here.

    Every attached session is at `known`, so a delivery looks at no position. The others are in `behind` with theirs: being caught
    up, or ahead because their replay saw a commit before this instance heard of it.
    """

    __slots__ = (
        "chat_id",
        "known",
        "heard",
        "owed",
        "said",
        "said_bytes",
        "said_since",
        "pulling",
        "attached",
        "behind",
        "counts",
        "reads",
        "waiting",
        "stale_counts",
        "participants",
    )

    def __init__(self, chat_id: str, known: int):
        self.chat_id = chat_id
        self.known = known  # this instance's position
        self.heard = known  # the newest seq that is known to exist
        self.owed = None  # the newest event that published unread counts go with, until the next check
        self.said: list[bytes] = []  # frames for all attached sessions that are not on their wires yet
        self.said_bytes = 0
        self.said_since = known  # `known` before them
        self.pulling = False
        self.attached = Crowd()  # by session
        self.behind = {}
        self.counts = {}  # user id → the unread count last sent, as its event
        self.reads = {}  # user id → watermark last sent
        self.waiting = []  # states that presuppose events not delivered yet
        self.stale_counts = None  # users whose unread counts are being worked out
        self.participants = None  # for presence: none where there are too many, None where nobody has asked yet

    def sessions(self) -> list:
        return [*self.attached, *self.behind]

    def user_ids(self) -> set[str]:
        return {session.user_id for session in self.attached} | {session.user_id for session in self.behind}


class Hub:
    """The sessions and watches of one instance. `unwatched(watch)` is called when a chat has no session any more, `watched(watch)` when it has one."""

    def __init__(self, unwatched=lambda watch: None, watched=lambda watch: None):
        self._unwatched, self._watched = unwatched, watched
        self.sessions = set()
        self.opened = 0  # sockets that have ever come
        self.sockets = Counter()  # user id → sockets, also those that have not said hello
        self.users: dict[str, tuple] = {}  # user id → their sessions; a set of one would be four times as large
        self.versions: dict[
            str, int
        ] = {}  # user id → membership version that their sessions agree with; negative: in doubt
        self._doubts = itertools.count(-1, -1)
        self.watches: dict[str, Watch] = {}
        self.listening = Counter()  # channel → sessions that have asked for it
        self.turnover = 0  # how often a user has come or gone
        self.asking = set()  # sessions that want to know who is online
        self.moved = (
            set()
        )  # those of them that must be told everything: their chats have changed, or they missed something

    def connect(self, session):
        """A socket is there; it watches nothing yet."""
        self.sessions.add(session)
        self.opened += 1
        self.sockets[session.user_id] += 1

    def add(self, session, version: int):
        """The session is about to watch its chats, as of this membership version."""
        if session.user_id not in self.users:
            self.turnover += 1
        self.users[session.user_id] = (*self.users.get(session.user_id, ()), session)
        self.listening.update(session.channels)
        # The older of two: a session opened before a change must be told of it.
        self.versions[session.user_id] = min(version, self.versions.get(session.user_id, version))

    def ask(self, session):
        """The session wants to know who is online."""
        if session in self.sessions:
            self.asking.add(session)
            self.moved.add(session)

    def doubt(self, user_id: str):
        """An event let the user's sessions into or out of a chat. It may have been an old one: the next check looks."""
        if user_id in self.versions:
            self.versions[user_id] = next(self._doubts)

    def remove(self, session):
        """Forget a session and the chats that nobody else watches."""
        if session in self.sessions:
            self.sessions.discard(session)
            self.sockets[session.user_id] -= 1
            if not self.sockets[session.user_id]:
                del self.sockets[session.user_id]
        self.asking.discard(session)
        self.moved.discard(session)
        for watch in list(session.watches.values()):
            self.detach(session, watch)
        if session in (sessions := self.users.get(session.user_id, ())):
            self.listening.subtract(session.channels)
            if others := tuple(other for other in sessions if other is not session):
                self.users[session.user_id] = others
            else:
                del self.users[session.user_id]
                self.turnover += 1
                self.versions.pop(session.user_id, None)

    def watch(self, chat_id: str, known: int) -> Watch:
        """The chat's watch; a new one starts at `known`."""
        watch = self.watches.get(chat_id)
        if watch is None:
            watch = self.watches[chat_id] = Watch(chat_id, known)
            self._watched(watch)
        return watch

    def attach(self, session, watch: Watch, position: int):
        """The session watches the chat from `position` on. A socket that has just ended watches nothing any more."""
        if session not in self.sessions:
            return
        if watch.said:
            tick.queue_broadcasts()
        # The last one may have left while a page of events is delivered, and the page may let somebody in again.
        if watch.chat_id not in self.watches:
            self.watches[watch.chat_id] = watch
            self._watched(watch)
        if watch.chat_id not in session.watches and session in self.asking:
            self.moved.add(session)
        session.watches[watch.chat_id] = watch
        if position == watch.known:
            watch.behind.pop(session, None)
            watch.attached[session] = session.wire
        else:
            watch.attached.pop(session, None)
            watch.behind[session] = position

    def detach(self, session, watch: Watch):
        """The session does not watch the chat any more."""
        if watch.said:
            tick.queue_broadcasts()
        if session.watches.pop(watch.chat_id, None) and session in self.asking:
            self.moved.add(session)
        watch.attached.pop(session, None)
        watch.behind.pop(session, None)
        if not watch.attached and not watch.behind and self.watches.pop(watch.chat_id, None):
            self._unwatched(watch)

    def clear(self):
        """Forget the chats, after the sessions."""
        while self.watches:
            self._unwatched(self.watches.popitem()[1])
