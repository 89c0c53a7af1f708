"""A client written from docs/protocol.md alone, which fails at every breach of it."""

import json

from chat.channels import CHANNELS, DEFAULT, LOGGED, PROJECTIONS, STATES, Audience

FRAMES = {
    "welcome": {"userId", "epoch", "instance", "version", "channels", "heads"},
    "event": {"channel", "chatId", "seq", "data"},
    "state": {"channel", "chatId", "seq", "data"},
    "joined": {"chatId", "seq"},
    "left": {"chatId"},
    "reset": {"chatId", "head", "reason"},
    "synced": {"heads", "at"},
    "typing": {"chatId", "userId"},
    "presence": {"online", "limit"},
    "presenceChanged": {"online", "offline"},
    "draining": {"retryAfterMs"},
    "pong": set(),
    "error": {"error"},
}


class Client:
    """What a user's client knows, kept over its connections.

    `fetch(chat_id)` stands for reading a chat over HTTP: `(head, unread count, {user: watermark})`, or None where it is gone.
    """

    def __init__(self, user_id, channels=DEFAULT, fetch=lambda chat_id: None, presence=False):
        self.user_id = user_id
        self.channels = frozenset(channels)
        self.presence = presence
        self.online = None  # user ids; None: not known
        self.epoch = None
        self.since = None
        self.cursors = {}
        self.unread = {}  # chat → (seq, count)
        self.watermarks = {}  # chat → {user: seq}
        self.values = {}  # chat → {(channel, *key): (seq, data)} of every other state
        self.frames = []
        self.logged = []  # (chat, seq, channel, data) of everything that moved a cursor
        self.is_synced = False
        self._had = set()  # (epoch, chat, seq) of all that was logged, also in chats left since
        self._fetch = fetch
        self._welcomed = False
        self._counted = set()
        self._heads = {}
        self._missing = (
            set()
        )  # chats that HTTP did not know when they were joined: left again by then, and perhaps joined anew since

    def hello(self) -> dict:
        """The frame to send first on a new connection."""
        self._welcomed = self.is_synced = False
        self.online = None
        if self.since is None:
            # Cut off before its first `synced`: nothing would tell it what was read meanwhile, so it begins anew.
            for chat_id in list(self.cursors):
                self._forget(chat_id)
        frame = {"type": "hello", "epoch": self.epoch, "cursors": dict(self.cursors), "channels": sorted(self.channels)}
        return frame | ({"since": self.since} if self.since else {}) | ({"presence": True} if self.presence else {})

    def take(self, frame: str | bytes | dict):
        """Apply a frame from the server."""
        frame = frame if isinstance(frame, dict) else json.loads(frame)
        kind = frame["type"]
        assert set(frame) - {"type"} == FRAMES[kind], frame
        assert self._welcomed or kind in ("welcome", "error", "pong", "draining"), f"{frame} before welcome"
        self.frames.append(frame)
        getattr(self, f"_{kind}")(frame)

    def of(self, kind, **fields) -> list:
        """The frames so far of a type, with these fields."""
        return [frame for frame in self.frames if frame["type"] == kind and fields.items() <= frame.items()]

    def _welcome(self, frame):
        assert not self._welcomed, "a second welcome"
        assert frame["userId"] == self.user_id
        self._welcomed = True
        self.epoch, self._heads, self._counted = frame["epoch"], frame["heads"], set()
        for chat_id, head in frame["heads"].items():
            if chat_id not in self.cursors:
                self._start(chat_id, head)

    def _event(self, frame):
        channel, chat_id, seq, data = frame["channel"], frame["chatId"], frame["seq"], frame["data"]
        if data is not None:
            tombstone = ("deletedAt",) if channel == "messageAdded" and "deletedAt" in data else ()
            assert tuple(data) == CHANNELS[channel].fields + tombstone, f"{channel} is {tuple(data)}"
        assert chat_id in self.cursors, f"an event of a chat that this client is not in: {frame}"
        if channel in PROJECTIONS:
            assert channel in self.channels, f"{channel} was not asked for"
            assert data["senderId"] != self.user_id, "a projection to the sender"
            assert seq == self.cursors[chat_id], f"a projection of {seq} at {self.cursors[chat_id]}"
            return
        assert (channel in LOGGED) is (data is not None), "only of what the instance does not know it has no object"
        assert seq == self.cursors[chat_id] + 1, f"{seq} follows {self.cursors[chat_id]} in {chat_id}"
        assert (self.epoch, chat_id, seq) not in self._had, f"{seq} of {chat_id} again"
        self._had.add((self.epoch, chat_id, seq))
        self.cursors[chat_id] = seq
        self.logged.append((chat_id, seq, channel, data))
        if chat_id in self._missing:
            self._read(chat_id)
        if channel == "messageAdded":
            self._raise(chat_id, data["senderId"], seq)

    def _state(self, frame):
        channel, chat_id, seq, data = frame["channel"], frame["chatId"], frame["seq"], frame["data"]
        assert channel in STATES and channel in self.channels
        assert tuple(data) == CHANNELS[channel].fields
        assert chat_id in self.cursors, f"a state of a chat that this client is not in: {frame}"
        if channel == "messageReadUpdated":
            self._raise(chat_id, data["userId"], seq)
            return
        if CHANNELS[channel].audience is Audience.USER:
            assert data["userId"] == self.user_id, "somebody else's value"
        if channel != "unreadCountUpdated":
            values, key = self.values.setdefault(chat_id, {}), (channel, *(data[name] for name in STATES[channel].key))
            values[key] = max(values.get(key, (0, {})), (seq, data), key=lambda value: value[0])
            return
        self._counted.add(chat_id)
        if seq >= self.unread.get(chat_id, (0, 0))[0]:
            self.unread[chat_id] = (seq, data["unreadCount"])

    def _joined(self, frame):
        assert frame["chatId"] not in self.cursors, f"joined twice: {frame}"
        self._start(frame["chatId"], frame["seq"])

    def _left(self, frame):
        self._forget(frame["chatId"])

    def _reset(self, frame):
        if frame["reason"] in ("epoch", "ahead"):
            self._had = {
                had for had in self._had if had[1] != frame["chatId"]
            }  # another history, with other events of the same numbers
        assert frame["reason"] in ("epoch", "ahead", "floor", "behind")
        assert frame["chatId"] in self.cursors, f"the reset of an unknown chat: {frame}"
        self._start(frame["chatId"], frame["head"])

    def _synced(self, frame):
        assert not self.is_synced, "synced twice"
        self.is_synced, self.since = True, frame["at"]
        assert frame["heads"] == self.cursors, "synced at other positions than were sent"
        for chat_id, head in self._heads.items():
            assert self.cursors.get(chat_id, head) >= head, "synced before everything that the welcome named was sent"
            # A chat of the welcome for which no count came has none unread.
            if chat_id in self.cursors and chat_id not in self._counted and self.unread.get(chat_id, (0, 0))[0] <= head:
                self.unread[chat_id] = (head, 0)

    def _typing(self, frame):
        assert frame["chatId"] in self.cursors and frame["userId"] != self.user_id

    def _presence(self, frame):
        assert self.presence and self.is_synced, "presence that was not asked for"
        self.online = None if frame["online"] is None else set(frame["online"])
        assert self.user_id not in (self.online or ()), "told of oneself"

    def _presenceChanged(self, frame):
        assert self.online is not None and (frame["online"] or frame["offline"])
        self.online = (self.online | set(frame["online"])) - set(frame["offline"])
        assert self.user_id not in self.online, "told of oneself"

    def _draining(self, frame):
        assert frame["retryAfterMs"] >= 0

    def _pong(self, frame):
        pass

    def _error(self, frame):
        assert set(frame["error"]) == {"code", "message", "field"}

    def _start(self, chat_id, seq):
        """The stream of a chat begins at `seq`; what was before is read over HTTP."""
        self._forget(chat_id)
        self.cursors[chat_id] = seq
        self._read(chat_id)

    def _read(self, chat_id):
        self._missing.discard(chat_id)
        if fetched := self._fetch(chat_id):
            head, count, watermarks = fetched
            self.unread[chat_id] = (head, count)
            self.watermarks[chat_id] = dict(watermarks)
        else:
            self._missing.add(chat_id)

    def _forget(self, chat_id):
        self._missing.discard(chat_id)
        for known in (self.cursors, self.unread, self.watermarks, self.values):
            known.pop(chat_id, None)

    def _raise(self, chat_id, user_id, seq):
        watermarks = self.watermarks.setdefault(chat_id, {})
        watermarks[user_id] = max(seq, watermarks.get(user_id, 0))
