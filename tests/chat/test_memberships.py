"""Where a user stands."""

from datetime import datetime, timedelta, timezone

import pytest

from chat import memberships
from tests.chat.conftest import key


@pytest.mark.gen_test
async def test_membership_has_every_chat_with_its_bounds_and_counts(db, world):
    ada, bob = await world.users(2)
    one, two, left = [await world.group(bob, ada) for _ in range(3)]
    await world.send(bob, one)
    read = await world.send(bob, two)
    await world.read(ada, read)
    await world.send(bob, two)
    await world.remove(ada, left, ada)
    membership = await memberships.membership(db, ada)
    assert membership.chats == {one: memberships.Standing(2, 0, 1, 1, 1), two: memberships.Standing(3, 0, 1, 2, 1)}
    assert (membership.version, membership.epoch) == (4, await db.epoch())
    assert abs(datetime.now(timezone.utc) - membership.at) < timedelta(minutes=1)


@pytest.mark.gen_test
async def test_where_several_stand_in_one_chat_is_told_of_those_who_are_in_it(db, world):
    ada, bob, cy, dan = await world.users(4)
    chat_id = await world.group(ada, bob, dan)
    await world.send(ada, chat_id)
    await world.add(ada, chat_id, cy)
    await world.remove(ada, chat_id, dan)
    await world.send(ada, chat_id)
    assert await memberships.standings(db, chat_id, [bob, cy, dan]) == {
        bob: memberships.Standing(5, 0, 2, 1, 1),
        cy: memberships.Standing(5, 0, 1, 3, 3),
    }


@pytest.mark.gen_test
async def test_a_user_without_chats_has_a_membership_too(db, world):
    membership = await memberships.membership(db, await world.user())
    assert (membership.version, membership.chats) == (0, {})


@pytest.mark.gen_test
async def test_memberships_of_several_are_those_of_each(db, world):
    ada, bob, cy = await world.users(3)
    shared = await world.group(ada, bob)
    await world.send(ada, shared)
    await world.group(bob)
    found = await memberships.memberships(db, {ada, bob, cy, key()})
    assert set(found) == {ada, bob, cy}
    for person, membership in found.items():
        alone = await memberships.membership(db, person)
        assert (membership.version, membership.epoch, membership.chats) == (alone.version, alone.epoch, alone.chats)
    assert [len(found[person].chats) for person in (ada, bob, cy)] == [1, 2, 0]
    assert found[bob].chats[shared].unread == 1 and found[ada].chats[shared].unread == 0
    assert await memberships.memberships(db, []) == {}
