"""What one operation publishes: at most one logged event, objects as the table declares them, in the documented order."""

import pytest

from chat import chats, messages
from chat.channels import CHANNELS, LOGGED
from tests.chat.conftest import key


@pytest.mark.gen_test
async def test_every_operation_publishes_exactly_the_tables_fields_in_its_order(db, world):
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
    for outcome in outcomes:
        logged = [event for event in outcome.events if event.channel in LOGGED]
        assert len(logged) <= 1 and all(event.seq == outcome.seq for event in logged)
        for event in outcome.events:
            assert tuple(event.data) == CHANNELS[event.channel].fields, event.channel
            assert event.data.get("chatId", event.chat_id) == event.chat_id and event.seq > 0


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
