"""One chat on one instance: how far the instance is, which clients follow it, and what they were last told."""

import metrics
from realtime.transport.backpressure import Backpressure
from realtime.transport.broadcast import Broadcast
from realtime.transport.write_queue import WriteQueue


class ChatStream(Broadcast):
    """A chat that has a client here. Its members are the attached clients.

    Every attached client is at `position`, so a delivery looks at no position of theirs. The others are in `behind` with a position of
    their own: they are being caught up, or they are ahead because their replay saw a commit before this instance heard of it.
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
        self.count_due = None  # the newest event that published unread counts go with, until the next check
        self.pulling = False
        self.behind = {}  # client → its position
        self.latest = {}  # (channel, *key) → what is kept of the state last sent
        self.waiting = []  # states that presuppose events not delivered yet
        self.stale_counts = None  # users whose unread counts are being worked out
        # For presence, a frozenset: empty where there are too many participants, None where nobody has asked for them yet.
        self.participants = None

    @property
    def attached_count(self) -> int:
        return len(self._writers)

    @property
    def is_followed(self) -> bool:
        return bool(self._writers or self.behind)

    def clients(self) -> list:
        """All clients that follow the chat, also those whose socket may prove too slow for what was just said."""
        return [*self._writers, *self.behind]

    def user_ids(self) -> set[str]:
        return {client.user_id for client in self.clients()}

    def position_of(self, client) -> int:
        return self.behind.get(client, self.position)

    def follow(self, client, position: int):
        """The client follows the chat from `position` on."""
        if position == self.position:
            self.behind.pop(client, None)
            self.join(client, client.writer)
        else:
            self.leave(client)
            self.behind[client] = position

    def unfollow(self, client):
        """The client follows the chat no longer."""
        self.leave(client)
        self.behind.pop(client, None)

    def fall_behind(self, client, position: int, reason: str):
        """Take a client off the live stream. It catches itself up from `position`."""
        metrics.detached.labels(reason).inc()
        self.leave(client)
        self.behind[client] = position
        client.catch_up()

    def too_slow(self, member, since):
        self.fall_behind(member, since, "slow")
