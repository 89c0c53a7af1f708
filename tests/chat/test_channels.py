"""The table of channels, and that what is published fits it."""

import pytest

from chat import chats, messages
from chat.channels import CHANNELS, DEFAULT, LOGGED, PROJECTIONS, STATES, Audience, Kind, projections_of
from tests.chat.conftest import key


def test_there_are_nine_each_of_one_kind():
    assert len(CHANNELS) == 9 == len(LOGGED) + len(PROJECTIONS) + len(STATES)
    assert set(CHANNELS) == LOGGED | PROJECTIONS | STATES.keys()
    assert all(name == channel.name for name, channel in CHANNELS.items())


def test_the_kinds_are_those_of_the_contract():
    assert {"messageAdded", "messageUpdated", "messageDeleted", "chatAdded", "chatUpdated"} == LOGGED
    assert {"chatMessageNotification", "messageUpdateForChatList"} == PROJECTIONS
    assert {"unreadCountUpdated", "messageReadUpdated"} == STATES.keys()


def test_who_gets_what():
    audiences = {name: channel.audience for name, channel in CHANNELS.items()}
    assert {name for name in audiences if audiences[name] is Audience.OTHERS} == PROJECTIONS
    assert {name for name in audiences if audiences[name] is Audience.USER} == {"unreadCountUpdated"}


def test_a_projection_is_of_a_logged_channel_and_nothing_else_is():
    for name, channel in CHANNELS.items():
        assert (channel.projects in LOGGED) == (channel.kind is Kind.PROJECTION)
        assert channel.projects is not None or name not in PROJECTIONS
    assert projections_of("messageAdded") == ("chatMessageNotification", "messageUpdateForChatList")
    assert projections_of("messageUpdated") == ()


def test_states_come_by_default_and_projections_to_those_who_ask():
    assert STATES.keys() == DEFAULT


def test_no_table_row_can_be_changed_by_mistake():
    with pytest.raises(AttributeError):
        CHANNELS["messageAdded"].kind = Kind.STATE


@pytest.mark.gen_test
async def test_every_operation_publishes_exactly_the_tables_fields_in_its_order(db, world):
    """Each channel is published at least once, so that a row without its producer fails here."""
    ada, bob, cy = await world.users(3)
    outcomes = [created := await chats.create(db, ada, key(), "group", "Trip", None, [bob], 10)]
    chat_id = created.answer["id"]
    outcomes.append(sent := await messages.send(db, ada, key(), chat_id, "Hello", 50))
    message_id = sent.answer["id"]
    outcomes += [
        await world.edit(ada, message_id),
        await world.read(bob, message_id),
        await messages.send(db, bob, key(), chat_id, "Good day", 50),
        await messages.send(db, ada, key(), chat_id, "Well", 50),
        await world.delete(ada, message_id),
        await chats.update(db, ada, key(), chat_id, {"name": "Journey"}),
        await world.add(ada, chat_id, cy),
        await world.remove(cy, chat_id, cy),
        await chats.create(db, ada, key(), "direct", None, None, [cy], 10),
        await chats.delete(db, ada, key(), chat_id),
    ]
    published = set()
    for outcome in outcomes:
        logged = [event for event in outcome.events if event.channel in LOGGED]
        assert len(logged) <= 1 and all(event.seq == outcome.seq for event in logged)
        for event in outcome.events:
            published.add(event.channel)
            assert tuple(event.data) == CHANNELS[event.channel].fields, event.channel
            assert event.data.get("chatId", event.chat_id) == event.chat_id and event.seq > 0
    assert published == set(CHANNELS)


ORDERS = {
    "send": [
        "messageAdded",
        "chatMessageNotification",
        "messageUpdateForChatList",
        "unreadCountUpdated",
        "messageReadUpdated",
    ],
    "delete": ["messageDeleted", "unreadCountUpdated"],
    "read": ["messageReadUpdated", "unreadCountUpdated"],
}


@pytest.mark.gen_test
async def test_what_one_operation_publishes_comes_in_the_documented_order(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    first = await world.send(ada, chat_id)
    outcomes = {
        "send": await messages.send(world.db, bob, key(), chat_id, "Hello", 50),
        "read": await world.read(cy, first),
        "delete": await world.delete(ada, (await messages.send(world.db, ada, key(), chat_id, "Hm", 50)).answer["id"]),
    }
    for name, outcome in outcomes.items():
        assert list(dict.fromkeys(event.channel for event in outcome.events)) == ORDERS[name]
        places = [ORDERS[name].index(event.channel) for event in outcome.events]
        assert places == sorted(places)
