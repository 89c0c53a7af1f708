"""Who is told who is online: the sockets that asked for it, about the people of their chats.

`presence` decides who is online; here it is carried between the instances and to the sockets, a few times a second and apart from
the way of messages. Nothing of it is kept anywhere. While Redis is down nobody can know who is online elsewhere, and the sockets
are told just that. Chats with more participants than the limit tell nothing of their people.
"""

import asyncio
import logging
import time

import orjson

import metrics
from chat import participants
from errors import ParleyError
from realtime.bus.channel_names import PRESENCE
from realtime.presence.online_users import OnlineUsers
from realtime.protocol import frames
from realtime.stream.chat_stream import ChatStream
from realtime.stream.hub import Hub

logger = logging.getLogger("parley.presence")

TICK_SECONDS = 0.5
CHATS = 500  # whose participants are read at a time
MANY = 5000  # changes at a time beyond which it costs less to tell everybody everything
SLICE_SECONDS = 0.005  # of work, before others have their turn
PAUSE_SECONDS = 0.01


class PresenceNotifier:
    """Presence on one instance. `publish` hands pairs of channel and payload to Redis; `degraded()` says that it does not carry them."""

    def __init__(
        self, db, hub: Hub, boot: str, *, limit: int, beat_seconds: float, grace_seconds: float, publish, degraded
    ):
        self._db = db
        self._hub = hub
        self._limit = limit
        self._beat_seconds = beat_seconds
        self._publish = publish
        self._degraded = degraded
        self._presence = OnlineUsers(boot, beat_seconds=beat_seconds, grace_seconds=grace_seconds)
        self._turnover = None  # of the hub when it was last looked at
        self._since = None  # since when Redis carries what is said
        self._known = False  # everybody alive has been heard since then
        self._ever_known = False
        self._began = 0.0  # with the present slice of work
        self._chats_of: dict[str, set[ChatStream]] = {}  # user → watched chats, of those that are not too large
        metrics.online_users.set_function(lambda: len(self._presence.online) if self._known else 0)

    async def run(self):
        while self._limit:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._tick(time.monotonic())
            except ParleyError as error:
                logger.warning("presence: %s", getattr(error, "why", error))
            except Exception:
                logger.exception("presence failed")

    def heard(self, message: dict):
        """What an instance says on `parley:presence`."""
        if self._limit:
            self._presence.hear(message, time.monotonic())

    def know(self, stream: ChatStream, participant_ids):
        """Who is in a chat now; None: whoever needs it has to ask."""
        for user_id in stream.participants or ():
            chats = self._chats_of[user_id]
            chats.discard(stream)
            if not chats:
                del self._chats_of[user_id]
        if self._hub.streams.get(stream.chat_id) is not stream:
            participant_ids = None
        elif participant_ids is not None:
            participant_ids = frozenset(participant_ids if len(participant_ids) <= self._limit else ())
        stream.participants = participant_ids
        for user_id in participant_ids or ():
            self._chats_of.setdefault(user_id, set()).add(stream)
        self._hub.moved |= self._hub.asking.intersection(stream.clients())

    async def _tick(self, now):
        self._began = time.monotonic()
        if self._degraded():
            if self._since is not None:
                self._since, self._known = None, False
                self._hub.moved |= self._hub.asking
            # An instance that has just begun has told nobody anything that it would have to take back: who comes during a deploy goes on with what they know.
            return await self._tell_whole() if self._ever_known else None
        if self._since is None:
            self._since = now
            self._presence.begin()
        self._say(now)
        online, offline = self._presence.changes()
        if not self._known:
            if now - self._since < self._beat_seconds:
                return None
            self._known = self._ever_known = True
            self._hub.moved |= self._hub.asking
        elif len(online) + len(offline) > MANY:
            self._hub.moved |= self._hub.asking
        else:
            await self._tell_changes(online, offline)
        await self._learn()
        return await self._tell_whole()

    def _say(self, now):
        connected = self._hub.users.keys() if self._turnover != self._hub.turnover else None
        self._turnover = self._hub.turnover
        messages = self._presence.tick(connected, now)
        if messages:
            self._publish([(PRESENCE, orjson.dumps(message)) for message in messages])

    async def _tell_changes(self, online, offline):
        told = {}
        for which, user_ids in enumerate((online, offline)):
            for user_id in user_ids:
                await self._turn()
                for client in self._concerned(user_id):
                    told.setdefault(client, ([], []))[which].append(user_id)
        for client, changes in told.items():
            await self._turn()
            if client not in self._hub.moved:  # which are told everything
                self._send(client, frames.encode(frames.presence_changed(*changes)))

    def _concerned(self, user_id):
        clients = {client for stream in self._chats_of.get(user_id, ()) for client in stream.clients()}
        return [client for client in clients & self._hub.asking if client.user_id != user_id]

    async def _learn(self):
        """Ask who is in the chats of the sockets that are about to be told."""
        unknown = {
            stream for client in self._hub.moved for stream in client.streams.values() if stream.participants is None
        }
        while unknown:
            asked = {stream.chat_id: stream for stream, _ in zip(list(unknown), range(CHATS), strict=False)}
            unknown -= set(asked.values())
            marks = {}
            for chat_id, stream in asked.items():
                marks[chat_id] = stream.participants = (
                    set()
                )  # nobody yet; whatever happens meanwhile puts something else in its place
            answer = None
            try:
                answer = await participants.of(self._db, asked, self._limit)
            finally:
                for chat_id, stream in asked.items():
                    if stream.participants is marks[chat_id]:
                        self.know(stream, None if answer is None else answer.get(chat_id, ()))

    async def _tell_whole(self):
        """Tell everything to those whose chats have changed, who have just come, or who missed something."""
        waiting, self._hub.moved = self._hub.moved, set()
        for client in waiting:
            await self._turn()
            if self._known and any(stream.participants is None for stream in client.streams.values()):
                self._hub.moved.add(client)  # it came while others' chats were looked up; its own are the next time
            elif client in self._hub.asking:
                self._send(client, frames.encode(frames.presence(self._online_for(client), self._limit)))

    async def _turn(self):
        """Let others have theirs, after some milliseconds of work."""
        if time.monotonic() - self._began > SLICE_SECONDS:
            await asyncio.sleep(PAUSE_SECONDS)
            self._began = time.monotonic()

    def _online_for(self, client):
        if not self._known:
            return None
        online = set()
        for stream in client.streams.values():
            online |= self._presence.online & (stream.participants or frozenset())
        return sorted(online - {client.user_id})

    def _send(self, client, frame):
        if not client.closed and not client.try_send(frame):
            self._hub.moved.add(client)  # too slow for it now; everything when there is room
