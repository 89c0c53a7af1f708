"""What one instance hears from Redis: whether it is ours, whether anybody here can want it, and who takes it."""

import logging

import metrics
from chat.channels import ABOUT_CHATS, CHANNELS, PROJECTIONS
from realtime.bus import envelope

logger = logging.getLogger("parley.inbox")

# What is about a chat may let in somebody who is here and in no watched chat: it is always looked at.
PASSED_OVER = CHANNELS.keys() - ABOUT_CHATS


class Inbox:
    """The ears of an instance. `others`: what takes the payloads of the channels that carry no events.

    `on_foreign_history()` is called for an event of another epoch than ours.
    """

    def __init__(self, event_stream, others: dict, *, on_foreign_history):
        self._event_stream = event_stream
        self._others = others
        self._on_foreign_history = on_foreign_history
        self._epoch = None
        self._glance = lambda channel, payload: None
        self._passed_over = b""  # the end of the last envelope that nobody wanted
        self._counts = metrics.events_received.counts

    @property
    def epoch(self) -> str | None:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: str):
        self._epoch = epoch
        self._glance, self._passed_over = envelope.glances(epoch), b""

    def heard(self, channel: str, payload: bytes):
        """A message from Redis; whatever it is, it ends nothing."""
        self._counts[channel] += 1
        # Most of what one instance of many hears is of chats that nobody watches there, or its own echo. To see that in the envelope's
        # bytes costs 1 µs; to parse it all and find out then, 4.
        if self._passed_over and channel in PROJECTIONS and payload.endswith(self._passed_over):
            return  # nobody wanted its message
        if channel in PASSED_OVER and (place := self._glance(channel, payload)) is not None:
            chat_id, seq, end = place
            if not self._event_stream.wants(channel, chat_id, seq):
                self._passed_over = end
                return
        self._passed_over = b""  # what is taken now may change who is here; where our own commit does, the next check finds what is missing
        try:
            if channel in self._others:
                self._others[channel](payload)
            else:
                self._take(channel, payload)
        except Exception:
            # One bad message must not end the subscriber. What it carried, the next check repairs.
            logger.exception("an event of %s could not be delivered", channel)

    def _take(self, channel, payload):
        try:
            event, epoch, publisher = envelope.decode(channel, payload)
        except ValueError:
            metrics.foreign_messages.labels(channel).inc()
            return
        if epoch != self._epoch:
            metrics.foreign_messages.labels(channel).inc()
            self._on_foreign_history()  # ours, or theirs, may be an old one
            return
        if self._event_stream.trace is not None:
            self._event_stream.trace.received(event, publisher)
        self._event_stream.offer(event)
