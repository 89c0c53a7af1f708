"""What makes the values of a channel states: which value replaces which, and how the present ones are read.

The rows of `chat.channels` say it for each state channel; whoever delivers, replays or repairs states loops over those rows.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from chat.events import Event
from chat.memberships import Membership

# A row's time is taken before its commit, and a client's `since` before another's commit: whoever asks what moved since a time looks so
# much further back.
COMMIT_MARGIN = timedelta(seconds=10)


class Age(Enum):
    NEWER = "newer"
    STALE = "stale"
    UNCLEAR = "unclear"  # each of the two misses something that the other saw: only a fresh value is right


@dataclass(frozen=True, slots=True)
class Asked:
    """What a returning client must be told of states: the present values that may differ from those that it has."""

    user_id: str
    membership: Membership  # where the user stands in all their chats
    missed: frozenset[str] | set[str]  # chats of which the client has not had everything
    since: datetime | None  # the client has had the values that moved before; None where it asks for none by time
    chat_ids: tuple[str, ...]  # the chats that it follows


@dataclass(frozen=True)
class State:
    """A row's answer to: what is one value, which of two is newer, and how are the present ones read?"""

    # The fields of the object that name the value within its chat: ("userId",) for one of each user, () for one of the chat.
    key: tuple[str, ...]
    # What is kept of a value that was told. `age` compares a later one with it.
    kept: Callable[[Event], Any]
    age: Callable[[Any, Event], Age]
    # The values that a returning client must be told.
    afresh: Callable[[object, Asked], Awaitable[list[Event]]]
    # The values of these chats that moved since a time of the database's clock: what a lost publication would have told. None where
    # they are worked out from other events.
    moved: Callable[[object, list[str], datetime], Awaitable[list[Event]]] | None = None
    # The field with the time at which the value moved; None where every value is read afresh for a socket that missed one.
    moment: str | None = None

    def key_of(self, event: Event) -> tuple:
        """Channel and key: which value of its chat this is."""
        return (event.channel, *(event.data[field] for field in self.key))


def by_seq(known: int | None, event: Event) -> Age:
    """The greater seq is the newer value. Goes with `kept=seq_of`."""
    return Age.NEWER if known is None or event.seq > known else Age.STALE


def seq_of(event: Event) -> int:
    return event.seq
