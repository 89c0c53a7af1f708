"""What one client did and was told: an append-only log. The checker reads nothing else of a client.

Times are seconds of one monotonic clock, the rig's, so that they can be compared across clients.
"""

import json
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Sent:
    """An attempt of an operation leaves. `key` is its Idempotency-Key, `text` the message text or chat name."""

    at: float
    operation: int
    kind: str
    key: str
    chat: str | None = None
    message: str | None = None
    users: tuple = ()
    text: str | None = None


@dataclass(slots=True)
class Answered:
    """An attempt was answered; `seq` is its Parley-Seq."""

    at: float
    operation: int
    status: int
    seq: int | None = None
    body: dict | None = None


@dataclass(slots=True)
class Unanswered:
    """An attempt ended without an answer: nobody knows whether it happened."""

    at: float
    operation: int
    why: str


@dataclass(slots=True)
class Opened:
    """A socket is open and its `hello` sent; `token` names the session, not its secret."""

    at: float
    socket: int
    token: int
    epoch: str | None
    cursors: dict


@dataclass(slots=True)
class Saw:
    at: float
    socket: int
    frame: dict


@dataclass(slots=True)
class Closed:
    """A socket ended; `code` is None where the path broke."""

    at: float
    socket: int
    code: int | None


@dataclass(slots=True)
class SignedOut:
    """The sign-out of this session was acknowledged."""

    at: float
    token: int


@dataclass(slots=True)
class SignedIn:
    """The user has a session again."""

    at: float
    token: int


@dataclass
class History:
    """One client's log. `client` names it, `user` is who it is signed in as."""

    client: str
    user: str
    records: list = field(default_factory=list)

    def add(self, record):
        self.records.append(record)

    def of(self, kind) -> list:
        return [record for record in self.records if isinstance(record, kind)]

    def write(self, path):
        """The log as JSON lines, for whoever looks into a violation."""
        with open(path, "w", encoding="utf-8") as file:
            for record in self.records:
                file.write(json.dumps({"is": type(record).__name__, **asdict(record)}) + "\n")
