"""What differs between what an instance knows and the truth."""

from datetime import datetime, timedelta, timezone

import pytest
from argon2 import PasswordHasher

from chat import head_check, memberships
from chat.accounts import Accounts
from chat.sign_in_attempts import AttemptLimits
from store.database import new_epoch
from tests.chat.conftest import World, key


@pytest.mark.gen_test
async def test_only_differences_answer(db, world):
    ada, bob = await world.users(2)
    same, ahead, foreign = [await world.group(ada) for _ in range(3)]
    await world.send(ada, ahead)
    known = {same: 1, ahead: 1, key(): 7}
    changes = await head_check.changes(db, known, {ada: 3, bob: 0, key(): 1}, [])
    assert (changes.heads, changes.users, changes.sessions) == ({ahead: 2}, set(), set())
    assert changes.epoch == await db.epoch() and not changes.ran_back
    assert abs(datetime.now(timezone.utc) - changes.at) < timedelta(minutes=1)
    await world.add(ada, same, bob)
    changes = await head_check.changes(db, known, {ada: 3, bob: 0}, [])
    assert (changes.heads, changes.users) == ({ahead: 2, same: 2}, {bob})
    assert foreign not in changes.heads
    nothing = await head_check.changes(db, {}, {}, [])
    assert (nothing.heads, nothing.users, nothing.sessions, nothing.ran_back) == ({}, set(), set(), False)


@pytest.mark.gen_test
async def test_a_position_ahead_of_the_database_tells_that_it_was_restored(db, world):
    ada = await world.user()
    chat_id = await world.group(ada)
    changes = await head_check.changes(db, {chat_id: 5}, {}, [])
    assert changes.ran_back and changes.heads == {chat_id: 1}


@pytest.mark.gen_test
async def test_sessions_that_ended_answer(db):
    accounts = Accounts(
        db, AttemptLimits(100, 100, 60), hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    )
    tokens = [
        (await accounts.sign_up(None, f"session{number}", "correct horse", None, "::1", ""))["token"]
        for number in range(3)
    ]
    accounts.close()
    ids = [(await accounts.session(token)).id for token in tokens]
    assert (await head_check.changes(db, {}, {}, ids)).sessions == set()
    await accounts.sign_out(tokens[0])
    await db.rows("update sessions set expires_at = now() - interval '1 second' where id = %s returning 1", ids[1])
    assert (await head_check.changes(db, {}, {}, ids)).sessions == set(ids[:2])
    assert (await head_check.changes(db, {}, {}, ids[2:])).sessions == set()


@pytest.mark.gen_test
async def test_a_new_epoch_shows_everywhere(opened, new_database):
    url = new_database()
    db = await opened(url)
    ada = await World(db).user()
    before = await db.epoch()
    after = new_epoch(url)
    assert after != before and await db.epoch() == after
    assert (await head_check.changes(db, {}, {}, [])).epoch == (await memberships.membership(db, ada)).epoch == after
