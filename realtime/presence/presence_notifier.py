"""Who is online, sent to the clients that asked for it, about the people in their chats.

`OnlineUsers` decides who is online. The notifier carries that between the instances and to the clients, a few times a second and apart
from the way of messages; nothing is stored. While Redis is down nobody can know who is online elsewhere, and the clients are told so.
Chats with more participants than the limit count for nobody's presence.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection

import metrics
from chat import participants
from errors import ParleyError
from realtime.bus import ephemeral
from realtime.bus.channel_names import PRESENCE
from realtime.presence.online_users import OnlineUsers
from realtime.protocol import frames
from realtime.stream.chat_stream import ChatStream
from realtime.stream.client import Client
from realtime.stream.hub import Hub
from store.database import Database

logger = logging.getLogger("parley.presence")

ROUND_SECONDS = 0.5  # between two rounds of publishing and sending
CHATS = 500  # whose participants are read at a time
MANY = 5000  # changes in one round beyond which it costs less to send everybody the whole list
SLICE_SECONDS = 0.005  # of work, after which the event loop runs something else
PAUSE_SECONDS = 0.01


class PresenceNotifier:
    """Presence on one instance. `publish` hands (channel, payload) pairs to Redis; `degraded()` says that Redis does not carry them."""

    def __init__(
        self,
        db: Database,
        hub: Hub,
        boot: str,
        *,
        limit: int,
        beat_seconds: float,
        grace_seconds: float,
        publish: Callable[[list[tuple[str, bytes]]], object],
        degraded: Callable[[], bool],
    ):
        self._db = db
        self._hub = hub
        self._limit = limit
        self._beat_seconds = beat_seconds
        self._publish = publish
        self._degraded = degraded
        self._users = OnlineUsers(boot, beat_seconds=beat_seconds, grace_seconds=grace_seconds)
        self._turnover: int | None = None  # of the hub in the last round
        self._since: float | None = None  # since when Redis carries the messages
        self._known = False  # every instance that is alive has published since then
        self._ever_known = False
        self._slice_began = 0.0
        self._chats_of: dict[str, set[ChatStream]] = {}  # user → the followed chats that are not too large
        metrics.online_users.set_function(lambda: len(self._users.online) if self._known else 0)

    async def run(self):
        while self._limit:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self._round(time.monotonic())
            except ParleyError as error:
                logger.warning("presence: %s", getattr(error, "why", error))
            except Exception:
                logger.exception("presence failed")

    def receive(self, payload: bytes):
        """Take a message of `parley:presence`."""
        if self._limit:
            self._users.receive(ephemeral.decode(payload), time.monotonic())

    def set_participants(self, stream: ChatStream, participant_ids: Collection[str] | None):
        """Note who is in a chat; None: unknown, so that the next round reads it where it needs to."""
        for user_id in stream.participants or ():
            chats = self._chats_of[user_id]
            chats.discard(stream)
            if not chats:
                del self._chats_of[user_id]
        known = None
        if participant_ids is not None and self._hub.is_open(stream):
            known = frozenset(participant_ids if len(participant_ids) <= self._limit else ())
        stream.participants = known
        for user_id in known or ():
            self._chats_of.setdefault(user_id, set()).add(stream)
        self._hub.presence_outdated |= self._hub.presence_clients.intersection(stream.clients())

    async def _round(self, now: float):
        self._slice_began = time.monotonic()
        if self._degraded():
            if self._since is not None:
                self._since, self._known = None, False
                self._hub.presence_outdated |= self._hub.presence_clients
            # An instance that has just started has sent nothing that it must take back. A client that comes during a deploy keeps its list.
            if self._ever_known:
                await self._send_lists()
            return
        if self._since is None:
            self._since = now
            self._users.begin()
        self._publish_due(now)
        online, offline = self._users.changes()
        if not self._known:
            if now - self._since < self._beat_seconds:
                return
            self._known = self._ever_known = True
            self._hub.presence_outdated |= self._hub.presence_clients
        elif len(online) + len(offline) > MANY:
            self._hub.presence_outdated |= self._hub.presence_clients
        else:
            await self._send_changes(online, offline)
        await self._read_participants()
        await self._send_lists()

    def _publish_due(self, now: float):
        connected = self._hub.users.keys() if self._turnover != self._hub.turnover else None
        self._turnover = self._hub.turnover
        messages = self._users.due(connected, now)
        if messages:
            self._publish([(PRESENCE, ephemeral.encode(message)) for message in messages])

    async def _send_changes(self, online: list[str], offline: list[str]):
        changes_for: dict[Client, tuple[list[str], list[str]]] = {}
        for which, user_ids in enumerate((online, offline)):
            for user_id in user_ids:
                await self._yield()
                for client in self._concerned(user_id):
                    changes_for.setdefault(client, ([], []))[which].append(user_id)
        for client, changes in changes_for.items():
            await self._yield()
            if client not in self._hub.presence_outdated:  # the others get the whole list
                self._send(client, frames.encode(frames.presence_changed(*changes)))

    def _concerned(self, user_id: str) -> list[Client]:
        clients = {client for stream in self._chats_of.get(user_id, ()) for client in stream.clients()}
        return [client for client in clients & self._hub.presence_clients if client.user_id != user_id]

    async def _read_participants(self):
        """Read who is in the chats of the clients that are about to get a list."""
        unknown = {
            stream
            for client in self._hub.presence_outdated
            for stream in client.streams.values()
            if stream.participants is None
        }
        while unknown:
            asked = {stream.chat_id: stream for stream, _ in zip(list(unknown), range(CHATS), strict=False)}
            unknown -= set(asked.values())
            # Where an event replaces the placeholder before the answer comes, the answer is too old.
            placeholders: dict[str, frozenset[str]] = {}
            for chat_id, stream in asked.items():
                placeholders[chat_id] = stream.participants = _Placeholder()
            answer: dict | None = None
            try:
                answer = await participants.of(self._db, asked, self._limit)
            finally:
                for chat_id, stream in asked.items():
                    if stream.participants is placeholders[chat_id]:
                        self.set_participants(stream, None if answer is None else answer.get(chat_id, ()))

    async def _send_lists(self):
        """Send the whole list to the clients that have just come, whose chats have changed, or that missed something."""
        waiting, self._hub.presence_outdated = self._hub.presence_outdated, set()
        for client in waiting:
            await self._yield()
            if self._known and any(stream.participants is None for stream in client.streams.values()):
                self._hub.presence_outdated.add(client)  # it came during this round, which has not read its chats
            elif client in self._hub.presence_clients:
                self._send(client, frames.encode(frames.presence(self._online_for(client), self._limit)))

    async def _yield(self):
        """Let the event loop run something else after some milliseconds of work."""
        if time.monotonic() - self._slice_began > SLICE_SECONDS:
            await asyncio.sleep(PAUSE_SECONDS)
            self._slice_began = time.monotonic()

    def _online_for(self, client: Client) -> list[str] | None:
        if not self._known:
            return None
        online: set[str] = set()
        for stream in client.streams.values():
            online |= self._users.online & (stream.participants or frozenset())
        return sorted(online - {client.user_id})

    def _send(self, client: Client, frame: bytes):
        if not client.closed and not client.try_send(frame):
            self._hub.presence_outdated.add(client)  # it gets the whole list when its socket has room


class _Placeholder(frozenset):
    """An empty set that is an object of its own. All empty `frozenset`s are one object."""
