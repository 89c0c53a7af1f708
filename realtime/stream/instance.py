"""What a client's stream needs of the instance that it is connected to."""

import asyncio
from typing import Protocol

from realtime.limits import Limits
from realtime.stream.event_stream import EventStream
from realtime.stream.hub import Hub
from realtime.transport.backpressure import Backpressure
from store.database import Database


class Instance(Protocol):
    """An instance as `Client`, `sync` and `replay` see it. A `Node` is one."""

    db: Database
    instance: str  # its name
    limits: Limits
    hub: Hub
    event_stream: EventStream
    backpressure: Backpressure
    # At most so many clients read the database at the same time: when they open, and when they catch up.
    openings: asyncio.Semaphore
    catch_ups: asyncio.Semaphore

    def typing(self, chat_id: str, user_id: str) -> None:
        """Pass on that the user is typing in a chat that they are in."""
