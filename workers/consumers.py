"""The consumers of this release: one row each. How to add one: docs/architecture.md, "Work that is owed after a commit"."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chat import search


@dataclass(frozen=True)
class Consumer:
    """Something that is done for each event of a chat, soon after its commit, in order, and at least once.

    `work(db, positions, limit)` is given the newest event of each chat whose work is done, and does it for up to `limit` events after that. It
    answers how far it has come, chat by chat: at most the chat's head, which may have moved since. It is cancelled where it takes too long, and
    may be called again with positions that it has been given before, so doing a thing twice must be the same as doing it once. A chat that it
    does not move, and all of them where it raises, is tried again later. One instance has a chat at a time.
    """

    name: str  # in the database and in metrics; never used for anything else again
    work: Callable[[object, dict[str, int], int], Awaitable[dict[str, int]]]
    # Whether every chat concerns it. Otherwise those do that have a row in `consumer_positions`.
    everywhere: bool = False


CONSUMERS = (Consumer("search", search.index, everywhere=True),)
