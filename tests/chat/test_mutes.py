"""Muting a chat for oneself."""

import pytest

from chat import chats, mutes
from tests.chat.conftest import refused


async def muted(world, user, chat):
    view = await chats.get(world.db, user, chat)
    (listed,) = [item for item in (await chats.page(world.db, user))["items"] if item["id"] == chat]
    assert view["muted"] == listed["muted"]
    return view["muted"]


@pytest.mark.gen_test
async def test_a_chat_is_muted_for_the_one_who_muted_it_alone_until_it_is_heard_again(world):
    ada, bob = await world.users(2)
    chat, other = await world.group(ada, bob), await world.group(ada, bob)
    assert not await muted(world, ada, chat)
    for _ in range(2):
        await mutes.put(world.db, ada, chat, True)
        assert [await muted(world, ada, chat), await muted(world, bob, chat), await muted(world, ada, other)] == [
            True,
            False,
            False,
        ]
    for _ in range(2):
        await mutes.put(world.db, ada, chat, False)
        assert not await muted(world, ada, chat)


@pytest.mark.gen_test
async def test_muting_makes_no_event(world):
    ada, bob = await world.users(2)
    chat = await world.direct(ada, bob)
    head = await world.head(chat)
    await mutes.put(world.db, ada, chat, True)
    assert await world.head(chat) == head
    await world.send(bob, chat)
    assert (await chats.get(world.db, ada, chat))["unreadCount"] == 1


@pytest.mark.gen_test
async def test_only_a_participant_mutes_and_who_comes_back_hears_again(world):
    ada, bob, eve = await world.users(3)
    chat = await world.group(ada, bob)
    for wish in (True, False):
        with refused("not_found"):
            await mutes.put(world.db, eve, chat, wish)
    await mutes.put(world.db, bob, chat, True)
    await world.remove(ada, chat, bob)
    with refused("not_found"):
        await mutes.put(world.db, bob, chat, False)
    await world.add(ada, chat, bob)
    assert not await muted(world, bob, chat)
