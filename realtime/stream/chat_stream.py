"""One chat on one instance: how far the instance is, which clients follow the chat, and what was last sent to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import metrics
from chat.events import Event
from realtime.transport.backpressure import Backpressure
from realtime.transport.broadcast import Broadcast
from realtime.transport.write_queue import WriteQueue

if TYPE_CHECKING:
    from realtime.stream.client import Client


class ChatStream(Broadcast["Client", int]):
    """A chat that clients of this instance follow. The attached ones are the members of its broadcasts.

    Every attached client is at `position`, so a delivery compares no positions. The others are in `behind`, each with its own position.
    Some of them are catching up. Others are ahead, because their replay read a commit that this instance has not received yet.
    """

    __slots__ = (
        "chat_id",
        "position",
        "newest_seen",
        "count_due",
        "pulling",
        "behind",
        "latest",
        "waiting",
        "stale_counts",
        "participants",
    )

    def __init__(self, chat_id: str, position: int, queue: WriteQueue, backpressure: Backpressure):
        super().__init__(queue, backpressure)
        self.chat_id = chat_id
        self.position = position  # the newest event that was delivered here
        self.newest_seen = position  # the newest event that is known to exist
        # The newest delivered event whose unread counts other instances publish. The next check clears it.
        self.count_due: Event | None = None
        self.pulling = False
        self.behind: dict[Client, int] = {}  # the position of each
        # (channel, *key) → what the channel's row keeps of the state that was last sent; only the row knows its type
        self.latest: dict[tuple, Any] = {}
        self.waiting: list[Event] = []  # states that presuppose events not delivered yet
        self.stale_counts: set[str] | None = None  # users whose unread counts are being read; None: nothing is
        # For presence: empty where there are too many participants, None where they have not been read.
        self.participants: frozenset[str] | None = None

    @property
    def attached_count(self) -> int:
        return len(self._writers)

    @property
    def is_followed(self) -> bool:
        return bool(self._writers or self.behind)

    def clients(self) -> list[Client]:
        """All clients that follow the chat, also those whose sockets may have no room for the frames that are still queued."""
        return [*self._writers, *self.behind]

    def user_ids(self) -> set[str]:
        return {client.user_id for client in self.clients()}

    def position_of(self, client: Client) -> int:
        return self.behind.get(client, self.position)

    def follow(self, client: Client, position: int):
        """The client follows the chat from `position` on."""
        if position == self.position:
            self.behind.pop(client, None)
            self.join(client, client.writer)
        else:
            self.leave(client)
            self.behind[client] = position

    def unfollow(self, client: Client):
        """The client no longer follows the chat."""
        self.leave(client)
        self.behind.pop(client, None)

    def fall_behind(self, client: Client, position: int, reason: str):
        """Take a client off the live stream. It catches up by itself from `position`."""
        metrics.detached.labels(reason).inc()
        self.leave(client)
        self.behind[client] = position
        client.catch_up()

    def too_slow(self, member: Client, since: int):
        self.fall_behind(member, since, "slow")
