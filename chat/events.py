"""Events: what happened in the chats, and what a mutation did."""

import hashlib
from dataclasses import dataclass, field

import orjson


@dataclass(slots=True)
class Event:
    """One event of one channel.

    `seq`: of a logged event and its projections, its place in the chat; of a state, what tells it from an older one.
    `meta`: what else stands under `_` on Redis (see docs/channels.md).
    """

    channel: str
    chat_id: str
    seq: int
    data: dict
    meta: dict = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What a mutation did: its answer, what must be published (nothing for a retry; a logged event comes first), and the seq of its event or None."""

    answer: dict | None
    events: list[Event]
    seq: int | None
    repeated: bool


def digest(*parts) -> int:
    """What tells a retry from another request under the same key: a signed 64-bit number, as PostgreSQL stores it."""
    return int.from_bytes(
        hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()[:8], "big", signed=True
    )
