"""Who is online on any instance: which messages this instance publishes about its users, and what follows from those of the others. Pure.

Every instance numbers the changes of its own users, as a chat numbers its events. An instance that misses a change of another, or does
not know the other yet, asks for its whole list. Every beat carries the number, so that a lost last change is noticed as well. Messages
are objects:

| key | meaning |
| --- | --- |
| `from` | the process that publishes it |
| `n` | number of its newest change |
| `joined`, `left` | this change: user ids |
| `users` | everybody who is online there |
| `ask` | processes that shall publish their `users`; `"all"` of them |

A user is online while they have a socket anywhere, and for a grace period after it ended, so that a reload, a tunnel or a deploy makes
no change. The users of an instance that is silent for too long are no longer online.
"""

from collections.abc import Set

MAX_INSTANCES = 1000
ALL = "all"


class OnlineUsers:
    """What the process `boot` knows. All times are seconds of one clock, whichever it is."""

    def __init__(self, boot: str, *, beat_seconds: float, grace_seconds: float):
        self._boot = boot
        self._beat_seconds = beat_seconds
        self._expiry_seconds = 3 * beat_seconds
        self._grace_seconds = grace_seconds
        self._here: set[str] = set()
        self._leaving: dict[str, float] = {}  # user → when their grace ends
        self._number = 0
        self._others: dict[str, _Instance] = {}
        self._places: dict[str, int] = {}  # user → on how many instances
        self._before: dict[str, bool] = {}  # user → whether they were online when `changes()` was last called
        self._ask: set[str] = set()
        self._publish_all = False
        self._published_at: float | None = None

    @property
    def online(self) -> Set[str]:
        """The users who are online; a live view."""
        return self._places.keys()

    def changes(self) -> tuple[list[str], list[str]]:
        """Who has come online, and who has gone offline, since the last call."""
        before, self._before = self._before, {}
        now = {user_id for user_id in before if user_id in self._places}
        return [user for user in now if not before[user]], [
            user for user, was in before.items() if was and user not in now
        ]

    def begin(self):
        """Redis carries messages from now on. What has arrived before may be incomplete, so it is forgotten and asked for again."""
        for boot in list(self._others):
            self._forget(boot)
        self._ask = {ALL}
        self._publish_all = True

    def due(self, connected: Set[str] | None, now: float) -> list[dict]:
        """The messages to publish now, given the users who have a socket here; None: the same as the last time."""
        for boot in [boot for boot, other in self._others.items() if now - other.heard_at > self._expiry_seconds]:
            self._forget(boot)
        change = self._change(connected, now)
        if change:
            self._number += 1
        messages: list[dict] = []
        if self._publish_all:
            messages = [{"users": sorted(self._here)}]
        elif change or self._published_at is None or now - self._published_at >= self._beat_seconds:
            messages = [change]
        if self._ask:
            messages.append({"ask": ALL if ALL in self._ask else sorted(self._ask)})
        if messages:
            self._published_at = now
        self._ask, self._publish_all = set(), False
        return [{"from": self._boot, "n": self._number, **message} for message in messages]

    def _change(self, connected: Set[str] | None, now: float) -> dict:
        joined: Set[str] = frozenset()
        if connected is not None:
            joined = connected - self._here
            for user_id in joined:
                self._here.add(user_id)
                self._count(user_id, 1)
            gone = self._here - connected
            self._leaving = {user_id: self._leaving.get(user_id, now + self._grace_seconds) for user_id in gone}
        left = [user_id for user_id, until in self._leaving.items() if now >= until]
        for user_id in left:
            del self._leaving[user_id]
            self._here.discard(user_id)
            self._count(user_id, -1)
        return {"joined": sorted(joined), "left": sorted(left)} if joined or left else {}

    def receive(self, message: dict, now: float):
        """Take a message of any process. This one's own and malformed ones change nothing."""
        boot, number, ask = message.get("from"), message.get("n"), message.get("ask")
        if boot == self._boot or not isinstance(boot, str) or type(number) is not int:
            return
        if ask == ALL or isinstance(ask, list) and self._boot in ask:
            self._publish_all = True
        other = self._others.get(boot)
        if users := _ids(message, "users"):
            if other is None:
                if len(self._others) >= MAX_INSTANCES:
                    return
                other = self._others[boot] = _Instance()
            if number >= other.number:
                self._replace(other, set(users[0]), number)
        elif other is None:
            self._ask.add(boot)
            return
        elif number == other.number + 1 and (joined := _ids(message, "joined")) and (left := _ids(message, "left")):
            self._replace(other, (other.users | set(joined[0])) - set(left[0]), number)
        elif number > other.number:
            self._ask.add(boot)
        other.heard_at = now

    def _replace(self, other: "_Instance", users: set[str], number: int):
        for user_id in users - other.users:
            self._count(user_id, 1)
        for user_id in other.users - users:
            self._count(user_id, -1)
        other.users, other.number = users, number

    def _forget(self, boot: str):
        self._replace(self._others.pop(boot), set(), 0)

    def _count(self, user_id: str, by: int):
        places = self._places.get(user_id, 0)
        self._before.setdefault(user_id, places > 0)
        if places + by:
            self._places[user_id] = places + by
        else:
            del self._places[user_id]


class _Instance:
    """Another process, as its last message left it."""

    __slots__ = ("users", "number", "heard_at")

    def __init__(self):
        self.users: set[str] = set()
        self.number = -1
        self.heard_at = 0.0


def _ids(message: dict, key: str) -> list[list[str]] | None:
    """`[the ids]` where the key holds a list of them, so that an empty list is true; None otherwise."""
    ids = message.get(key)
    return [ids] if isinstance(ids, list) and all(isinstance(one, str) for one in ids) else None
