"""What an instance passes over of what it hears: projections of messages that nobody here wants, and nothing else."""

import pytest

import metrics
from chat.channels import PROJECTIONS
from chat.events import Event
from realtime.bus import envelope
from realtime.bus.inbox import Inbox

CHAT, OTHER = "6f1c0e0a-6a54-4a40-8a3f-0d6f5b0c7c11", "7d2b1f1b-7b65-4b51-9b40-1e706c1d8d22"
EPOCH, LATER = "0b9f7a52-33f1-4d5e-9d55-4ea1f0d5c0de", "1ca08b63-44f2-4e6f-8e66-5fb2a1e6d1ef"


class EventStream:
    """Remembers what it was asked about and what it was given; wants the chats in `wanted`."""

    trace = None

    def __init__(self):
        self.wanted, self.asked, self.given = set(), [], []

    def wants(self, channel, chat_id, seq):
        self.asked.append((channel, chat_id, int(seq)))
        return chat_id in self.wanted

    def offer(self, event):
        self.given.append((event.channel, event.chat_id, event.seq))


class Ears:
    """An `Inbox` and its event stream."""

    def __init__(self):
        self.event_stream, self.foreign = EventStream(), 0
        self.inbox = Inbox(self.event_stream, {}, on_foreign_history=self._on_foreign)
        self.inbox.epoch = EPOCH

    def _on_foreign(self):
        self.foreign += 1

    def hear(self, *channels, chat=CHAT, seq=1, epoch=EPOCH, instance="web.2", **meta):
        for channel in channels:
            data = {"participantIds": []} if channel.startswith("chat") and channel not in PROJECTIONS else {"id": "x"}
            self.inbox.receive(channel, envelope.encode(Event(channel, chat, seq, data, meta), epoch, instance))


@pytest.fixture
def ears():
    return Ears()


PROJECTED = sorted(PROJECTIONS)


def test_projections_of_a_message_that_nobody_wants_are_counted_and_passed_over(ears):
    before = {name: metrics.events_received.counts[name] for name in PROJECTED}
    ears.hear("messageAdded", *PROJECTED)
    assert ears.event_stream.asked == [("messageAdded", CHAT, 1)] and ears.event_stream.given == []
    assert all(metrics.events_received.counts[name] == before[name] + 1 for name in PROJECTED)


def test_those_of_a_message_that_somebody_wants_are_taken(ears):
    ears.event_stream.wanted.add(CHAT)
    ears.hear("messageAdded", *PROJECTED)
    assert [channel for channel, *_ in ears.event_stream.given] == ["messageAdded", *PROJECTED]


@pytest.mark.parametrize("other", [{"chat": OTHER}, {"seq": 2}, {"seq": 11}, {"instance": "web.3"}])
def test_those_of_another_message_are_looked_at(ears, other):
    ears.hear("messageAdded")
    ears.hear(PROJECTED[0], **other)
    assert [channel for channel, *_ in ears.event_stream.asked] == ["messageAdded", PROJECTED[0]]


def test_a_message_that_comes_again_is_looked_at(ears):
    ears.hear("messageAdded", "messageAdded")
    assert len(ears.event_stream.asked) == 2


def test_they_are_looked_at_once_something_was_taken_that_may_have_let_somebody_in(ears):
    """A message of another instance overtook what made its chat be watched here; its projection still tells that it was missed."""
    ears.hear("messageAdded", seq=2)
    ears.hear("chatUpdated", seq=1)
    ears.event_stream.wanted.add(CHAT)
    ears.hear(PROJECTED[0], seq=2)
    assert ears.event_stream.given == [("chatUpdated", CHAT, 1), (PROJECTED[0], CHAT, 2)]


def test_they_are_looked_at_in_a_new_epoch(ears):
    ears.hear("messageAdded")
    ears.inbox.epoch = LATER
    ears.hear(PROJECTED[0])
    assert ears.foreign == 1
    ears.hear(PROJECTED[0], epoch=LATER)
    assert len(ears.event_stream.asked) == 2


def test_rubbish_is_foreign_before_and_after_a_message_that_was_passed_over(ears):
    foreign = metrics.foreign_messages.labels(PROJECTED[0])._value
    before = foreign.get()
    ears.inbox.receive(PROJECTED[0], b"rubbish")
    ears.hear("messageAdded")
    ears.inbox.receive(PROJECTED[0], b"rubbish")
    assert foreign.get() == before + 2
