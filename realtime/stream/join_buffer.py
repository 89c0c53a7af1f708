"""Sockets that are being opened: what is heard from before the database is asked where they stand until they watch their chats.

Nobody here watches such a chat yet, and what is committed after the answer must not fall between the two.
"""

import time
from contextlib import contextmanager

from chat import memberships, unread
from chat.channels import LOGGED
from chat.events import Event
from realtime.stream.hub import Hub


class JoinBuffer:
    """The openings of one instance: `under_way` so many."""

    def __init__(self, hub: Hub, event_stream):
        self._hub = hub
        self._event_stream = event_stream
        self.under_way = 0
        self._began_at = 0.0
        # What was heard since the first of them began.
        self._heads: dict[str, int] = {}
        self._joined: set[str] = set()  # users
        self._counted: set[tuple[str, str]] = set()  # chat and user

    @contextmanager
    def noting(self):
        """Note what is heard, from before the question is asked until the socket watches its chats."""
        self._began_at = self.asked_at
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            if not self.under_way:
                self._heads.clear()
                self._joined.clear()
                self._counted.clear()

    @property
    def asked_at(self) -> float:
        """The monotonic time from before the database was asked where the sockets stand that are being opened; now, where none are."""
        return self._began_at if self.under_way else time.monotonic()

    def note(self, event: Event):
        """This was heard."""
        if not self.under_way:
            return
        if event.channel in LOGGED:
            self._heads[event.chat_id] = max(event.seq, self._heads.get(event.chat_id, 0))
            self._joined.update(event.data.get("participantIds", ()))
        elif event.channel == "unreadCountUpdated":
            self._counted.add((event.chat_id, event.data["userId"]))

    def joined(self, user_id: str) -> bool:
        """Whether the user was let into something meanwhile."""
        return user_id in self._joined

    def begin(self, client, chat_id: str, position: int, standing: memberships.Standing) -> bool:
        """A socket watches a chat from `position` on, where its user stands as the database has just answered.

        Answers whether the user's other sockets have been told of a newer unread count than that.
        """
        event_stream, stream = self._event_stream, self._hub.stream(chat_id, standing.head)
        count = unread.standing_event(client.user_id, chat_id, standing)
        event_stream.latest_values.send(stream, count)
        self._hub.attach(client, stream, position)
        heard = max(standing.head, self._heads.get(chat_id, 0))
        if heard > stream.position:
            event_stream.pull(stream, heard, "opening")
        if position < stream.position:
            client.catch_up()
        if stream.position > standing.head or (chat_id, client.user_id) in self._counted:
            event_stream.latest_values.refresh_counts(stream, {client.user_id})
        return event_stream.latest_values.known(stream, count) != count

    def let_in(self, client, chat_id: str, position: int, standing: memberships.Standing):
        """The same for a socket that has been open: what its user has not read of this chat, or the user's others were told, it is told at once."""
        if self.begin(client, chat_id, position, standing) or standing.unread:
            count = unread.standing_event(client.user_id, chat_id, standing)
            self._event_stream.latest_values.send_afresh(client, count)
