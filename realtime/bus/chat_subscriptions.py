"""With `CHANNEL_SCOPE=chat`: keeps an instance subscribed to the chats that its clients follow, and to no others.

The hub alone knows which chats these are. It is read when a command is written, and one command is under way at a time, so no late
unsubscription can undo a new subscription. Events may be missed between the question for a chat's snapshot and the acknowledgement of
its subscription, so the chat is compared with PostgreSQL after that. A chat stays subscribed for a while after its last client has left,
so that clients which reconnect cost nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice, takewhile

import metrics
from realtime.bus.channel_names import ChannelNames
from realtime.bus.connections import FAILURES, Subscriber
from realtime.stream.hub import Hub

logger = logging.getLogger("parley.chat_subscriptions")

LINGER_SECONDS = 10.0
RETRY_SECONDS = 1.0
CHATS = 200  # in one command, so that no command keeps Redis or this loop busy for long


class ChatSubscriptions:
    """The chats that one instance is subscribed to. In the scope `all` it does nothing.

    `compare(chats)` gets those that are newly subscribed, each with the monotonic time since when it may have missed something.
    """

    def __init__(
        self,
        hub: Hub,
        subscriber: Subscriber,
        channel_names: ChannelNames,
        compare: Callable[[dict[str, float]], object],
    ):
        self._hub = hub
        self._subscriber = subscriber
        self._channel_names = channel_names
        self._compare = compare
        # By chat id, each with a monotonic time.
        self._subscribed: dict[str, float] = {}  # when the present connection acknowledged it
        self._wanted: dict[str, float] = {}  # followed and not subscribed yet: since when it may have missed something
        self._left: dict[str, float] = {}  # when its last client left, oldest first
        self._wake = asyncio.Event()
        metrics.subscribed_chats.set_function(lambda: len(self._subscribed))

    def follow(self, chat_id: str, since: float):
        """A chat has its first client here. It may have missed something since that monotonic time."""
        if not self._channel_names.by_chat:
            return
        subscribed_at = self._subscribed.get(chat_id)
        if subscribed_at is None:
            self._want(chat_id, since)
            self._wake.set()
        elif since < subscribed_at:
            self._compare({chat_id: since})

    def unfollow(self, chat_id: str):
        """The chat's last client here has left."""
        if self._channel_names.by_chat:
            self._left.pop(chat_id, None)
            self._left[chat_id] = time.monotonic()
            self._wake.set()

    def begin_anew(self):
        """The connection is a new one, with no chat subscribed. The check of all heads finds what was missed before."""
        self._subscribed.clear()
        self._left.clear()
        if self._channel_names.by_chat:
            now = time.monotonic()
            self._wanted = {chat_id: self._wanted.get(chat_id, now) for chat_id in self._hub.streams}
            self._wake.set()

    async def run(self):
        while True:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._until_due())
            self._wake.clear()
            try:
                await self._update()
            except FAILURES as error:
                # The next connection begins anew.
                logger.info("subscribing to chats: %s", type(error).__name__)
            except Exception:
                logger.exception("subscribing to chats failed")
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    def _until_due(self) -> float | None:
        """Seconds until the next chat can be unsubscribed; None where there is none, or no connection."""
        oldest = next(iter(self._left.values()), None)
        return (
            max(0.0, oldest + LINGER_SECONDS - time.monotonic()) if oldest is not None and self._subscriber.up else None
        )

    async def _update(self):
        while self._subscriber.up and (self._wanted or self._until_due() == 0):
            fresh, stale = self._fresh(), self._stale()
            for chat_id in stale:
                del self._subscribed[chat_id]  # from here on a client that follows the chat has it subscribed again
            if fresh or stale:
                try:
                    await self._subscriber.change(self._names_of(fresh), self._names_of(stale))
                except BaseException:
                    for chat_id, since in fresh.items():
                        self._want(chat_id, since)
                    raise
                self._subscribed.update(dict.fromkeys(fresh, time.monotonic()))
                self._compare(fresh)

    def _want(self, chat_id: str, since: float):
        self._wanted[chat_id] = min(since, self._wanted.get(chat_id, since))

    def _fresh(self) -> dict[str, float]:
        chosen = list(islice(self._wanted, CHATS))
        since = {chat_id: self._wanted.pop(chat_id) for chat_id in chosen}
        return {chat_id: at for chat_id, at in since.items() if chat_id in self._hub.streams}

    def _stale(self) -> list[str]:
        now = time.monotonic()
        chosen = list(islice(takewhile(lambda chat_id: self._left[chat_id] + LINGER_SECONDS <= now, self._left), CHATS))
        for chat_id in chosen:
            del self._left[chat_id]
        return [chat_id for chat_id in chosen if chat_id in self._subscribed and chat_id not in self._hub.streams]

    def _names_of(self, chat_ids: Iterable[str]) -> list[str]:
        return [name for chat_id in chat_ids for name in self._channel_names.of_chat(chat_id)]
