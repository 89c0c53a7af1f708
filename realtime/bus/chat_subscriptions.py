"""With `CHANNEL_SCOPE=chat`: keeps an instance subscribed to the chats that are watched there, and to no others.

What the hub watches is the truth. It is looked at when a command is written and never remembered, and one command is under way at a
time: so no late unsubscription can undo a new subscription. A chat that is subscribed to may have missed something from the moment its
snapshot was asked for until Redis has acknowledged; it is compared with PostgreSQL then. Chats that are left are kept for a while:
clients that reconnect cost nothing.
"""

import asyncio
import logging
import time
from contextlib import suppress
from itertools import islice, takewhile

import metrics
from realtime.bus.channel_names import ChannelNames
from realtime.bus.connections import FAILURES
from realtime.stream.hub import Hub

logger = logging.getLogger("parley.subscriptions")

LINGER_SECONDS = 10.0
RETRY_SECONDS = 1.0
CHATS = 200  # in one command, so that Redis and this loop are never long busy with one


class ChatSubscriptions:
    """The chats that one instance hears; where every instance hears every chat, there is nothing to do.

    `compare(chats)` is handed those that are heard from now on, each with the monotonic time since when it may have missed something.
    """

    def __init__(self, hub: Hub, subscriber, addresses: ChannelNames, compare):
        self._hub = hub
        self._subscriber = subscriber
        self._addresses = addresses
        self._compare = compare
        self._heard: dict[str, float] = {}  # acknowledged on the present connection; when
        self._deaf: dict[str, float] = {}  # watched and not asked for yet; since when
        self._left: dict[str, float] = {}  # when its last socket left, oldest first
        self._wake = asyncio.Event()
        metrics.subscribed_chats.set_function(lambda: len(self._heard))

    def watched(self, chat_id: str, since: float):
        """A chat has its first socket here; what happened since that monotonic time may have been missed."""
        if not self._addresses.by_chat:
            return
        heard_at = self._heard.get(chat_id)
        if heard_at is None:
            self._is_deaf(chat_id, since)
            self._wake.set()
        elif since < heard_at:
            self._compare({chat_id: since})

    def unwatched(self, chat_id: str):
        """Its last socket has left."""
        if self._addresses.by_chat:
            self._left.pop(chat_id, None)
            self._left[chat_id] = time.monotonic()
            self._wake.set()

    def begin_anew(self):
        """The connection is a new one, on which nothing of any chat is heard. What was missed before, a look at all heads finds."""
        self._heard.clear()
        self._left.clear()
        if self._addresses.by_chat:
            now = time.monotonic()
            self._deaf = {chat_id: self._deaf.get(chat_id, now) for chat_id in self._hub.streams}
            self._wake.set()

    async def run(self):
        while True:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._until_due())
            self._wake.clear()
            try:
                await self._follow()
            except FAILURES as error:
                # The next connection begins anew.
                logger.info("subscribing to chats: %s", type(error).__name__)
            except Exception:
                logger.exception("subscribing to chats failed")
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    def _until_due(self):
        """Seconds until a chat has been left for long enough; None where none has been left, or nothing can be done about it."""
        oldest = next(iter(self._left.values()), None)
        return (
            max(0.0, oldest + LINGER_SECONDS - time.monotonic()) if oldest is not None and self._subscriber.up else None
        )

    async def _follow(self):
        while self._subscriber.up and (self._deaf or self._until_due() == 0):
            fresh, stale = self._fresh(), self._stale()
            for chat_id in stale:
                del self._heard[chat_id]  # from here on: whoever watches it again meanwhile subscribes to it again
            if fresh or stale:
                try:
                    await self._subscriber.change(self._names_of(fresh), self._names_of(stale))
                except BaseException:
                    for chat_id, since in fresh.items():
                        self._is_deaf(chat_id, since)
                    raise
                self._heard.update(dict.fromkeys(fresh, time.monotonic()))
                self._compare(fresh)

    def _is_deaf(self, chat_id, since):
        self._deaf[chat_id] = min(since, self._deaf.get(chat_id, since))

    def _fresh(self) -> dict[str, float]:
        chosen = list(islice(self._deaf, CHATS))
        since = {chat_id: self._deaf.pop(chat_id) for chat_id in chosen}
        return {chat_id: at for chat_id, at in since.items() if chat_id in self._hub.streams}

    def _stale(self) -> list[str]:
        now = time.monotonic()
        chosen = list(islice(takewhile(lambda chat_id: self._left[chat_id] + LINGER_SECONDS <= now, self._left), CHATS))
        for chat_id in chosen:
            del self._left[chat_id]
        return [chat_id for chat_id in chosen if chat_id in self._heard and chat_id not in self._hub.streams]

    def _names_of(self, chat_ids):
        return [name for chat_id in chat_ids for name in self._addresses.of_chat(chat_id)]
