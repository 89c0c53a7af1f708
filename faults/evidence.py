"""What the checker is given, and the views of it that several invariants share.

`Evidence` is the histories of all clients, the final state of the database, the clients' fresh snapshots, and what the rig
did when. Nothing in it comes from the code under test.
"""

from dataclasses import dataclass, field
from functools import cached_property

from faults.history import Answered, History, Sent, SignedOut, Unanswered

# The kinds that a client of today knows; an `event` of any other is of a later release.
LOGGED = ("messageAdded", "messageUpdated", "messageDeleted", "chatAdded", "chatUpdated")
PROJECTIONS = ("chatMessageNotification", "messageUpdateForChatList")


def takes_a_seq(frame: dict) -> bool:
    """Whether a frame is the next event of its chat: a client takes the seq, also where it knows nothing else of it."""
    return frame["type"] == "event" and frame["channel"] not in PROJECTIONS


@dataclass
class Attempt:
    sent: float
    ended: float | None = None
    status: int | None = None  # None: no answer
    seq: int | None = None
    body: dict | None = None


@dataclass
class Operation:
    """One operation of one client with all its attempts."""

    number: int
    client: str
    user: str
    kind: str
    key: str
    chat: str | None
    message: str | None
    users: tuple
    text: str | None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def first_sent(self) -> float:
        return self.attempts[0].sent

    @property
    def success(self) -> Attempt | None:
        """The first attempt that was answered with a success."""
        return next((a for a in self.attempts if a.status is not None and a.status < 300), None)

    @property
    def ambiguous(self) -> bool:
        """Some attempt may have happened without anybody being told."""
        return any(a.status is None or a.status >= 500 for a in self.attempts)

    def __str__(self):
        return f"operation {self.number} ({self.kind} by {self.client}, key {self.key})"


@dataclass
class Event:
    """A row of the final history."""

    chat: str
    seq: int
    kind: str
    message: str | None
    user: str | None  # the one removed
    actor: str
    key: str
    at: float  # seconds since 1970


@dataclass
class Message:
    id: str
    chat: str
    seq: int
    sender: str
    content: str
    at: float
    deleted: bool = False


@dataclass
class Final:
    """The database in the end, by plain SQL."""

    epoch: str
    events: list[Event]
    messages: list[Message]
    watermarks: dict  # (chat, user) → seq up to which is read, of those who are in the chat


@dataclass
class Snapshot:
    """What one client's HTTP requests say after everything is quiet, and what the client had built from the stream."""

    client: str
    user: str
    fresh: dict  # chat → View
    built: dict  # chat → View


@dataclass
class View:
    """A chat as one client has it."""

    participants: list
    name: str | None
    unread: int
    messages: dict  # id → (seq, content, is_edited)
    watermarks: dict  # user → seq, of those who have read something
    since: int = 0  # a built view holds the messages from this seq on


@dataclass
class Window:
    """The rig hurt something for a while. `part` is instance, redis, database, nginx, client or all; `name` says which."""

    part: str
    name: str
    start: float
    end: float


@dataclass
class Limits:
    """The seconds that the invariants grant."""

    answer: float = 7.0
    synced: float = 5.0
    sign_out: float = 2.0
    sign_out_without_redis: float = 5.0
    standstill: float = 8.0
    memory_mib: float = 400.0


@dataclass
class Evidence:
    histories: list[History]
    final: Final
    snapshots: list[Snapshot] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    healed_at: float = 0.0
    began_at: float = 0.0
    wall: float = 0.0  # seconds since 1970 at the rig's time 0
    initial: dict = field(default_factory=dict)  # chat → who was in it when the load began
    lost: tuple | None = None  # (from, to): what was committed between a dump and its restore is gone
    memory: dict = field(default_factory=dict)  # instance → most MiB
    limits: Limits = field(default_factory=Limits)

    @cached_property
    def operations(self) -> list[Operation]:
        """All operations, in the order of their first attempts."""
        found = {}
        for history in self.histories:
            for record in history.records:
                if isinstance(record, Sent):
                    operation = found.get(record.operation)
                    if operation is None:
                        operation = found[record.operation] = Operation(
                            record.operation,
                            history.client,
                            history.user,
                            record.kind,
                            record.key,
                            record.chat,
                            record.message,
                            tuple(record.users),
                            record.text,
                        )
                    operation.attempts.append(Attempt(record.at))
                elif isinstance(record, Answered):
                    attempt = found[record.operation].attempts[-1]
                    attempt.ended, attempt.status, attempt.seq, attempt.body = (
                        record.at,
                        record.status,
                        record.seq,
                        record.body,
                    )
                elif isinstance(record, Unanswered):
                    found[record.operation].attempts[-1].ended = record.at
        return sorted(found.values(), key=lambda operation: operation.first_sent)

    @cached_property
    def by_key(self) -> dict:
        """(actor, key) → the final history's events of that operation."""
        found = {}
        for event in self.final.events:
            found.setdefault((event.actor, event.key), []).append(event)
        return found

    @cached_property
    def operation_of(self) -> dict:
        """(actor, key) → the operation that a client began under it."""
        return {(operation.user, operation.key): operation for operation in self.operations}

    @cached_property
    def by_place(self) -> dict:
        """(chat, seq) → the final history's event there."""
        return {(event.chat, event.seq): event for event in self.final.events}

    def was_lost(self, operation: Operation) -> bool:
        """Whether a restore may have taken this operation back."""
        if self.lost is None:
            return False
        start, end = self.lost
        return any(a.sent <= end and (a.ended is None or a.ended >= start) for a in operation.attempts)

    def hurt(self, part: str, name: str | None, start: float, end: float) -> bool:
        """Whether the rig hurt this part (`None`: any of them) at some time between the two."""
        return any(
            w.part == part and (name is None or w.name == name) and w.start <= end and w.end >= start
            for w in self.windows
        )

    def rig_time(self, event: Event) -> float:
        """When an event was committed, by the rig's clock; the database runs on the same machine."""
        return event.at - self.wall

    @cached_property
    def sign_outs(self) -> dict:
        """Session → when its sign-out was first acknowledged."""
        found = {}
        for history in self.histories:
            for record in history.of(SignedOut):
                found[record.token] = min(record.at, found.get(record.token, record.at))
        return found
