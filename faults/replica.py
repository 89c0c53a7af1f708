"""What a client knows: a snapshot of each of its chats, fetched over HTTP, and the stream applied to it, as docs/protocol.md says.

A snapshot stands at the chat's head when it was asked for. Events up to that head are in it already; they still move the cursor.
"""

from faults.evidence import LOGGED, View, takes_a_seq


class Chat:
    """One chat of a client. Until its snapshot is there, frames wait."""

    def __init__(self):
        self.loaded = False
        self.waiting = []
        self.head = 0  # of the snapshot
        self.owner = None
        self.kind = None
        self.name = None
        self.participants = []
        self.messages = {}  # id → [content, is_edited, sender, seq]
        self.since = 0
        self.unread, self.counted_at = 0, 0
        self.watermarks = {}

    def load(self, chat: dict, page: dict):
        """Begin with `GET /api/chats/{id}` and, asked after it, the newest page of messages."""
        self.head, self.owner, self.kind, self.name = chat["head"], chat["ownerId"], chat["chatType"], chat["name"]
        self.participants = chat["participantIds"]
        self.messages = {m["id"]: [m["content"], m["isEdited"], m["senderId"], m["seq"]] for m in page["items"]}
        self.since = page["items"][0]["seq"] if page["next"] else 0
        self.unread, self.counted_at = chat["unreadCount"], chat["head"]
        self.watermarks = {w["userId"]: w["seq"] for w in chat["watermarks"] if w["messageId"]}
        self.loaded = True
        waiting, self.waiting = self.waiting, []
        for frame in waiting:
            self.apply(frame)

    def apply(self, frame: dict):
        if not self.loaded:
            self.waiting.append(frame)
        elif frame["channel"] == "unreadCountUpdated":
            if frame["seq"] >= self.counted_at:
                self.unread, self.counted_at = frame["data"]["unreadCount"], frame["seq"]
        elif frame["channel"] == "messageReadUpdated":
            self._read(frame["data"]["userId"], frame["seq"])
        elif frame["channel"] in LOGGED and frame["seq"] > self.head:
            self._logged(frame["channel"], frame["seq"], frame["data"])

    def _logged(self, channel, seq, data):
        if channel == "messageAdded":
            self.messages[data["id"]] = [data["content"], data["isEdited"], data["senderId"], seq]
            self._read(data["senderId"], seq)
        elif channel == "messageUpdated":
            if data["id"] in self.messages:
                self.messages[data["id"]][:2] = data["content"], True
        elif channel == "messageDeleted":
            if data["id"] in self.messages:
                self.messages[data["id"]][:2] = "", False
        else:
            self.name, self.participants = data["name"], data["participantIds"]

    def _read(self, user, seq):
        self.watermarks[user] = max(seq, self.watermarks.get(user, 0))

    def view(self) -> View:
        return View(
            sorted(self.participants),
            self.name,
            self.unread,
            {key: (m[3], m[0], m[1]) for key, m in self.messages.items()},
            dict(self.watermarks),
            self.since,
        )


class Replica:
    """All chats of one client, its cursors and its epoch. `apply` answers which chats must be fetched anew."""

    def __init__(self, speech: dict | None = None):
        """`speech`: what its `hello` says besides where it stands."""
        self._speech = speech or {}
        self.epoch = None
        self.at = None  # of the last `synced`
        self.cursors: dict[str, int] = {}
        self.chats: dict[str, Chat] = {}
        self.synced = False  # on the present socket
        self._uncounted: dict[
            str, int
        ] = {}  # chats of the welcome for which no unread count has come, with their heads

    def hello(self) -> dict:
        fields = {"type": "hello", "epoch": self.epoch, "cursors": dict(self.cursors), **self._speech}
        return {**fields, "since": self.at} if self.at else fields

    def apply(self, frame: dict) -> list[str]:
        """Take one frame in; the ids of chats whose snapshot is wanted."""
        kind, chat_id = frame["type"], frame.get("chatId")
        if kind == "welcome":
            self.epoch, self._uncounted = frame["epoch"], dict(frame["heads"])
            new = [chat for chat in frame["heads"] if chat not in self.cursors]
            for chat in new:
                self._begin(chat, frame["heads"][chat])
            return new
        if kind in ("joined", "reset"):
            self._begin(chat_id, frame["seq"] if kind == "joined" else frame["head"])
            return [chat_id]
        if kind == "left":
            self.cursors.pop(chat_id, None)
            self.chats.pop(chat_id, None)
        elif kind == "synced":
            self.synced, self.at = True, frame["at"]
            for chat, head in self._uncounted.items():
                if chat in self.chats:
                    self.chats[chat].apply({"channel": "unreadCountUpdated", "seq": head, "data": {"unreadCount": 0}})
        elif kind in ("event", "state") and chat_id in self.chats:
            if takes_a_seq(frame):
                self.cursors[chat_id] = frame["seq"]
                if frame["data"] is None and frame["channel"] in LOGGED:
                    self._begin(chat_id, frame["seq"])
                    return [chat_id]
            elif frame["channel"] == "unreadCountUpdated":
                self._uncounted.pop(chat_id, None)
            self.chats[chat_id].apply(frame)
        return []

    def _begin(self, chat_id, cursor):
        self.cursors[chat_id] = cursor
        self.chats[chat_id] = Chat()
