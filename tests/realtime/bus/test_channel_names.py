"""On which names of Redis an instance speaks and listens."""

import pytest

from chat.channels import CHANNELS, PROJECTIONS
from realtime.bus.channel_names import ALL, CONTROL, PRESENCE, TYPING, ChannelNames, channel_of

OTHERS = [name for name in ALL if name not in CHANNELS]


def test_by_default_a_channel_carries_every_chat_and_everybody_hears_all_of_them():
    names = ChannelNames()
    assert [names.of(name, "c") for name in ALL] == list(ALL) == [*CHANNELS, *OTHERS] == list(names.everywhere)
    assert names.of_chat("c") == []


def test_with_the_scope_chat_messages_states_and_typing_go_on_channels_of_their_chat():
    names = ChannelNames("chat")
    own = {name for name in ALL if names.of(name, "c") == f"{name}.c"}
    assert own == CHANNELS.keys() - {"chatAdded", "chatUpdated"} | {TYPING}
    # Who is let into a chat is on an instance that does not listen to it yet.
    assert set(names.everywhere) == {"chatAdded", "chatUpdated", CONTROL, PRESENCE, "parley:activity"}


def test_an_instance_hears_all_of_a_chat_but_what_its_messages_tell_as_well():
    heard = ChannelNames("chat").of_chat("c")
    assert {channel_of(address) for address in heard} == CHANNELS.keys() - {
        "chatAdded",
        "chatUpdated",
    } - PROJECTIONS | {TYPING}
    assert all(address.endswith(".c") for address in heard)


@pytest.mark.parametrize("scope", ["all", "chat"])
@pytest.mark.parametrize("channel", ALL)
def test_an_address_names_its_channel(scope, channel):
    assert channel_of(ChannelNames(scope).of(channel, "6f1c0e0a-6a54-4a40-8a3f-0d6f5b0c7c11")) == channel
