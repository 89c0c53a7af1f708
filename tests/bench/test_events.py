"""What the bench publishes is what an instance would have published."""

from bench import events
from chat.channels import CHANNELS, projections_of
from realtime.bus import envelope

MESSAGE = events.Message(
    "11111111-1111-4111-8111-111111111111",
    "22222222-2222-4222-8222-222222222222",
    "33333333-3333-4333-8333-333333333333",
    "Hello",
    "2026-01-01T00:00:00.000Z",
    7,
    2,
)


def test_an_instance_understands_every_envelope():
    found = [envelope.decode(channel, payload) for channel, payload in events.published([MESSAGE], "an epoch")]
    assert [event.channel for event, _, _ in found] == ["messageAdded", *projections_of("messageAdded")]
    assert all(
        event.channel in CHANNELS and (event.seq, event.chat_id, epoch) == (7, MESSAGE.chat, "an epoch")
        for event, epoch, _ in found
    )
    assert found[0][0].data["content"] == "Hello" and found[1][0].data["message"]["content"] == "Hello"


def test_the_envelopes_of_a_large_chat_say_that_counts_are_to_be_worked_out():
    large = events.Message(MESSAGE.id, MESSAGE.chat, MESSAGE.sender, "Hello", MESSAGE.at, 7, events.COUNTED + 1)
    (first, *others) = (
        envelope.decode(channel, payload)[0] for channel, payload in events.published([large], "an epoch")
    )
    assert first.meta == {"unread": "derive"} and all(event.meta == {} for event in others)
