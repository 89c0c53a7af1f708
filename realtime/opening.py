"""Sockets that are being opened: what is heard from before the database is asked where they stand until they watch their chats.

Nobody here watches such a chat yet, and what is committed after the answer must not fall between the two.
"""

import time
from contextlib import contextmanager

from chat import events as log
from chat.channels import LOGGED
from chat.events import Event
from realtime import resume
from realtime.hub import Hub


class Opening:
    """The openings of one instance: `under_way` so many."""

    def __init__(self, hub: Hub, feed):
        self._hub = hub
        self._feed = feed
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

    def begin(self, session, chat_id: str, position: int, standing: log.Standing) -> bool:
        """A socket watches a chat from `position` on, where its user stands as the database has just answered.

        Answers whether the user's other sockets have been told of a newer unread count than that.
        """
        feed, watch = self._feed, self._hub.watch(chat_id, standing.head)
        count = resume.count(session.user_id, chat_id, standing)
        feed.states.send_count(watch, count)
        self._hub.attach(session, watch, position)
        heard = max(standing.head, self._heads.get(chat_id, 0))
        if heard > watch.known:
            feed.pull(watch, heard, "opening")
        if position < watch.known:
            session.catch_up()
        if watch.known > standing.head or (chat_id, session.user_id) in self._counted:
            feed.states.refresh_counts(watch, {session.user_id})
        return watch.counts[session.user_id] != count

    def let_in(self, session, chat_id: str, position: int, standing: log.Standing):
        """The same for a socket that has been open: what its user has not read of this chat, or the user's others were told, it is told at once."""
        if self.begin(session, chat_id, position, standing) or standing.unread:
            self._feed.states.count_afresh(session, resume.count(session.user_id, chat_id, standing))
