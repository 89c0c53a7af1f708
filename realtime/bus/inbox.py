"""What one instance receives from Redis: whether it is ours, whether it changes anything here, and who takes it."""

import logging
from collections.abc import Callable, Mapping

import metrics
from chat.channels import ABOUT_CHATS, CHANNELS, PROJECTIONS
from realtime.bus import envelope
from realtime.stream.event_stream import EventStream

logger = logging.getLogger("parley.inbox")

# An event about a chat may let in a user who is connected here, though nobody here follows the chat. It is never skipped.
SKIPPABLE = CHANNELS.keys() - ABOUT_CHATS


class Inbox:
    """The subscriber's receiver. `others` take the payloads of the channels that carry no events.

    `on_foreign_history()` is called for an event of another epoch than ours.
    """

    def __init__(
        self,
        event_stream: EventStream,
        others: Mapping[str, Callable[[bytes], object]],
        *,
        on_foreign_history: Callable[[], object],
    ):
        self._event_stream = event_stream
        self._others = others
        self._on_foreign_history = on_foreign_history
        self._epoch: str | None = None
        self._glance: envelope.Glance = lambda channel, payload: None
        self._skipped = b""  # the end of the last envelope that was skipped
        self._counts = metrics.events_received.counts

    @property
    def epoch(self) -> str | None:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: str):
        self._epoch = epoch
        self._glance, self._skipped = envelope.glances(epoch), b""

    def receive(self, channel: str, payload: bytes):
        """Take a message from Redis. Whatever it contains, it raises nothing."""
        self._counts[channel] += 1
        # Most messages are of chats that nobody follows here, or the echo of this instance. Recognising them by the envelope's bytes is far
        # cheaper than parsing them.
        if self._skipped and channel in PROJECTIONS and payload.endswith(self._skipped):
            return  # its message was skipped
        if channel in SKIPPABLE and (place := self._glance(channel, payload)) is not None:
            chat_id, seq, end = place
            if not self._event_stream.wants(channel, chat_id, seq):
                self._skipped = end
                return
        # What is taken now may change who follows the chat, so that the next projection counts. Where a commit of our own changes that, the
        # next check finds what is missing.
        self._skipped = b""
        try:
            if channel in self._others:
                self._others[channel](payload)
            else:
                self._take(channel, payload)
        except Exception:
            # A bad message must not end the subscriber. The next check repairs what it carried.
            logger.exception("an event of %s could not be delivered", channel)

    def _take(self, channel: str, payload: bytes):
        try:
            event, epoch, publisher = envelope.decode(channel, payload)
        except ValueError:
            metrics.foreign_messages.labels(channel).inc()
            return
        if epoch != self._epoch:
            metrics.foreign_messages.labels(channel).inc()
            self._on_foreign_history()  # it may be ours that is outdated
            return
        if self._event_stream.trace is not None:
            self._event_stream.trace.received(event, publisher)
        self._event_stream.offer(event)
