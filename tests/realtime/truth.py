"""PostgreSQL's part in memory: the same questions as `chat/` asks, answered from a small model of `schema.sql`.

For the simulation, which has to hold answers back, to let others overtake them and to look at millions of schedules. That
the real database answers the same way is the business of tests/chat.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

from chat import payloads
from chat.channels import projections_of
from chat.event_log import Log
from chat.events import Event
from chat.head_check import Changes
from chat.memberships import Membership, Standing
from chat.reads import COMMIT_MARGIN
from chat.unread import count_event

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
COMMIT = timedelta(minutes=1)  # between two commits: more than any margin that the code leaves itself


@dataclass
class Message:
    id: str
    seq: int
    ordinal: int
    sender_id: str
    content: str  # the number of the commit that wrote it; empty once deleted
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass
class Member:
    joined_seq: int
    read_seq: int
    read_count: int
    has_read: bool = False


@dataclass
class Pointer:
    seq: int
    kind: str
    message_id: str | None


@dataclass
class Chat:
    id: str
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    head: int = 0
    floor: int = 0
    message_count: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    events: list[Pointer] = field(default_factory=list)
    removed: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # user → seq and time of their last removal


class Truth:
    """All commits so far. Each mutation answers the events that are to be published; None where it is refused."""

    def __init__(self, users, derive_above=3):
        self.epoch = uuid(0, 0)
        self.commits = 0
        self.versions = dict.fromkeys(users, 0)
        self.chats: dict[str, Chat] = {}
        self.reads: list[tuple[str, str, int, datetime]] = []
        self.derive_above = derive_above

    def now(self) -> datetime:
        return START + self.commits * COMMIT

    def _commit(self) -> datetime:
        self.commits += 1
        return self.now()

    # Mutations

    def create(self, actor, others):
        at = self._commit()
        chat = self.chats[uuid(1, len(self.chats))] = Chat(uuid(1, len(self.chats)), at, at)
        self._join(chat, {actor, *others}, 1)
        return [self._about_chat(chat, "chatAdded", at)]

    def rename(self, actor, chat):
        if actor not in chat.members:
            return None
        at = self._commit()
        chat.name = str(self.commits)
        return [self._about_chat(chat, "chatUpdated", at)]

    def add(self, actor, chat, user):
        if actor not in chat.members or user in chat.members:
            return None
        at = self._commit()
        self._join(chat, {user}, chat.head + 1)
        return [self._about_chat(chat, "chatUpdated", at)]

    def remove(self, actor, chat, user):
        if actor not in chat.members or user not in chat.members:
            return None
        at = self._commit()
        self._leave(chat, {user}, at)
        return [self._about_chat(chat, "chatUpdated", at)]

    def delete_chat(self, actor, chat):
        if actor not in chat.members:
            return None
        at = self._commit()
        self._leave(chat, set(chat.members), at)
        return [self._about_chat(chat, "chatUpdated", at)]

    def send(self, actor, chat):
        if actor not in chat.members:
            return None
        at = self._commit()
        had_unread = self.unread(chat, actor) > 0
        chat.message_count += 1
        message = Message(uuid(2, self.commits), chat.head + 1, chat.message_count, actor, str(self.commits), at)
        chat.messages[message.id] = message
        self._append(chat, "messageAdded", message)
        self._read(chat, actor, message, at, keep=had_unread)
        data = payloads.message(self._message_row(chat, message))
        events = [Event("messageAdded", chat.id, message.seq, data, self._derive(chat))]
        events += [Event(name, chat.id, message.seq, payloads.notice(data)) for name in projections_of("messageAdded")]
        events += self._published_counts(chat, above=message.seq + had_unread)
        if had_unread:
            events.append(Event("messageReadUpdated", chat.id, message.seq, payloads.read(message.id, actor, at)))
        return events

    def edit(self, actor, chat, message):
        if actor not in chat.members or message.deleted_at is not None:
            return None
        message.edited_at = self._commit()
        message.content = str(self.commits)
        seq = self._append(chat, "messageUpdated", message)
        return [Event("messageUpdated", chat.id, seq, payloads.message(self._message_row(chat, message)))]

    def delete(self, actor, chat, message):
        if actor not in chat.members or message.deleted_at is not None:
            return None
        message.deleted_at = self._commit()
        message.content, message.edited_at = "", None
        seq = self._append(chat, "messageDeleted", message)
        data = payloads.deleted_message(self._message_row(chat, message))
        return [
            Event("messageDeleted", chat.id, seq, data, self._derive(chat)),
            *self._published_counts(chat, above=message.seq),
        ]

    def read(self, actor, chat, message):
        if actor not in chat.members or message.seq <= chat.members[actor].read_seq:
            return None
        at = self._commit()
        self._read(chat, actor, message, at, keep=True)
        return [
            Event(
                "messageReadUpdated", chat.id, message.seq, payloads.read(message.id, actor, at), {"head": chat.head}
            ),
            self._count(chat, actor),
        ]

    def prune(self, chat, number):
        chat.floor = min(chat.head, chat.floor + number)
        chat.events = [event for event in chat.events if event.seq > chat.floor]

    def new_epoch(self):
        self.epoch = uuid(0, self._commit().timestamp())

    # What `chat/` asks

    def replay(self, positions, users, limit):
        logs = {}
        for chat_id, after in positions.items():
            if chat := self.chats.get(chat_id):
                page = [event for event in chat.events if event.seq > after][:limit]
                logs[chat_id] = Log(
                    chat_id,
                    chat.head,
                    chat.floor,
                    frozenset(users),
                    frozenset(users) & chat.members.keys(),
                    [self._rendered(chat, event) for event in page],
                )
        return logs

    def memberships(self, users):
        return {
            user: Membership(
                self.versions[user],
                self.epoch,
                self.now(),
                {chat.id: self._standing(chat, user) for chat in self.chats.values() if user in chat.members},
            )
            for user in users
        }

    def standings(self, chat_id, users):
        chat = self.chats[chat_id]
        return {user: self._standing(chat, user) for user in users if user in chat.members}

    def _standing(self, chat, user):
        member = chat.members[user]
        return Standing(chat.head, chat.floor, self.unread(chat, user), member.read_seq, member.joined_seq)

    def changes(self, heads, versions, sessions):
        newer = {
            chat_id: self.chats[chat_id].head for chat_id, known in heads.items() if self.chats[chat_id].head != known
        }
        return Changes(
            self.epoch,
            self.now(),
            any(head < heads[chat_id] for chat_id, head in newer.items()),
            newer,
            {user for user, version in versions.items() if self.versions[user] != version},
            set(),
        )

    def counts(self, chat_id, users):
        chat = self.chats[chat_id]
        return [self._count(chat, user) for user in users if user in chat.members]

    def since(self, chat_ids, moment, user=None):
        newest = {}
        for chat_id, reader, seq, at in self.reads:
            if (
                chat_id in chat_ids
                and at > moment - COMMIT_MARGIN
                and (user is None or user in self.chats[chat_id].members)
            ):
                newest[chat_id, reader] = (seq, at)
        return [
            self._read_event(self.chats[chat_id], reader, seq, at) for (chat_id, reader), (seq, at) in newest.items()
        ]

    # What the tests ask

    def unread(self, chat, user):
        member = chat.members[user]
        above = [message for message in chat.messages.values() if message.seq > member.read_seq]
        return sum(1 for message in above if message.deleted_at is None)

    def may_know(self, user, chat_id, seq=0, at=START) -> bool:
        """Whether something with this seq, committed at this time, may reach the user: all may but what came after a removal."""
        chat = self.chats[chat_id]
        if user in chat.members:
            return True
        removed_seq, removed_at = chat.removed.get(user, (0, START))
        return seq <= removed_seq and at <= removed_at

    # Parts

    def _join(self, chat, users, seq):
        for user in users:
            chat.members[user] = Member(seq, seq, chat.message_count)
            self.versions[user] += 1

    def _leave(self, chat, users, at):
        for user in users:
            del chat.members[user]
            chat.removed[user] = (chat.head + 1, at)
            self.versions[user] += 1

    def _append(self, chat, kind, message=None):
        chat.head += 1
        chat.events.append(Pointer(chat.head, kind, message and message.id))
        return chat.head

    def _about_chat(self, chat, kind, at):
        chat.updated_at = at
        return Event(kind, chat.id, self._append(chat, kind), payloads.chat(self._chat_row(chat)))

    def _read(self, chat, user, message, at, keep):
        chat.members[user] = Member(chat.members[user].joined_seq, message.seq, message.ordinal, True)
        if keep:
            self.reads.append((chat.id, user, message.seq, at))

    def _derive(self, chat):
        return {"unread": "derive"} if len(chat.members) > self.derive_above else {}

    def _published_counts(self, chat, above):
        if self._derive(chat):
            return []
        return [self._count(chat, user) for user, member in chat.members.items() if member.read_seq < above]

    def _count(self, chat, user):
        return count_event(chat.id, user, self.unread(chat, user), chat.head, chat.members[user].read_seq)

    def _read_event(self, chat, user, seq, at):
        message = next(message for message in chat.messages.values() if message.seq == seq)
        return Event("messageReadUpdated", chat.id, seq, payloads.read(message.id, user, at), {"head": chat.head})

    def _message_row(self, chat, message):
        return SimpleNamespace(
            id=message.id,
            chat_id=chat.id,
            content=message.content,
            sender_id=message.sender_id,
            created_at=message.created_at,
            edited_at=message.edited_at,
            deleted_at=message.deleted_at,
        )

    def _chat_row(self, chat):
        return SimpleNamespace(
            id=chat.id,
            name=chat.name,
            description=None,
            chat_type="group",
            created_at=chat.created_at,
            participant_ids=sorted(chat.members),
            updated_at=chat.updated_at,
        )

    def _rendered(self, chat, pointer):
        if pointer.message_id is None:
            return Event(pointer.kind, chat.id, pointer.seq, payloads.chat(self._chat_row(chat)))
        row = self._message_row(chat, chat.messages[pointer.message_id])
        if pointer.kind == "messageDeleted" or pointer.kind == "messageUpdated" and row.deleted_at is not None:
            return Event("messageDeleted", chat.id, pointer.seq, payloads.deleted_message(row))
        return Event(pointer.kind, chat.id, pointer.seq, payloads.message(row))


def uuid(kind, number) -> str:
    """A UUID that is easy to read in a failure."""
    return f"{kind:08x}-0000-4000-8000-{int(number):012x}"
