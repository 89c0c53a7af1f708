"""What arrives while clients are opened: from before the database is asked about their chats until they follow them.

Nobody here may follow such a chat yet, and an event that commits after the database's answer must not be lost in between.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chat import memberships, unread
from chat.channels import LOGGED
from chat.events import Event
from realtime.stream.hub import Hub

if TYPE_CHECKING:
    from realtime.stream.client import Client
    from realtime.stream.event_stream import EventStream


class JoinBuffer:
    """Notes for the openings of one instance, of which `under_way` are not finished."""

    def __init__(self, hub: Hub, event_stream: EventStream):
        self._hub = hub
        self._event_stream = event_stream
        self.under_way = 0
        self._began_at = 0.0
        # What has arrived since the first opening under way began.
        self._heads: dict[str, int] = {}
        self._joined: set[str] = set()  # users
        self._counted: set[tuple[str, str]] = set()  # chat and user

    @contextmanager
    def noting(self):
        """Note what arrives: enter it before the database is asked, and leave it when the client follows its chats."""
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
        """A monotonic time from before any opening under way asked the database; the present where there is none."""
        return self._began_at if self.under_way else time.monotonic()

    def note(self, event: Event):
        """An event has arrived."""
        if not self.under_way:
            return
        if event.channel in LOGGED:
            self._heads[event.chat_id] = max(event.seq, self._heads.get(event.chat_id, 0))
            self._joined.update(event.data.get("participantIds", ()))
        elif event.channel == "unreadCountUpdated":
            self._counted.add((event.chat_id, event.data["userId"]))

    def joined(self, user_id: str) -> bool:
        """Whether an event may have let the user into a chat meanwhile."""
        return user_id in self._joined

    def begin(self, client: Client, chat_id: str, position: int, standing: memberships.Standing) -> bool:
        """A client follows a chat from `position` on. The database has just answered where its user stands.

        Answers whether the user's other clients have got a newer unread count than that.
        """
        event_stream, stream = self._event_stream, self._hub.stream(chat_id, standing.head)
        count = unread.standing_event(client.user_id, chat_id, standing)
        event_stream.latest_values.send(stream, count)
        self._hub.attach(client, stream, position)
        newest = max(standing.head, self._heads.get(chat_id, 0))
        if newest > stream.position:
            event_stream.pull(stream, newest, "opening")
        if position < stream.position:
            client.catch_up()
        if stream.position > standing.head or (chat_id, client.user_id) in self._counted:
            event_stream.latest_values.refresh_counts(stream, {client.user_id})
        return event_stream.latest_values.known(stream, count) != count

    def let_in(self, client: Client, chat_id: str, position: int, standing: memberships.Standing):
        """The same for a client that has been open for a while. It gets its unread count at once, unless that is 0 and no newer one is known."""
        if self.begin(client, chat_id, position, standing) or standing.unread:
            count = unread.standing_event(client.user_id, chat_id, standing)
            self._event_stream.latest_values.send_afresh(client, count)
