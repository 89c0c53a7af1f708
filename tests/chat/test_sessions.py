"""A user's own sessions: which are listed, and which end."""

import hashlib
import os

import pytest

from chat import sessions
from chat.accounts import Login
from tests.chat.conftest import age, key, refused


@pytest.fixture
def sign_in(db):
    async def create(user, agent="pytest") -> Login:
        row = await db.row(
            "select * from create_session(%s, %s, 30, %s)", user, hashlib.sha256(os.urandom(8)).digest(), agent
        )
        return Login(row.id, user)

    return create


async def ids(db, session, **page):
    return [one["id"] for one in (await sessions.live(db, session, **page))["items"]]


@pytest.mark.gen_test
async def test_live_sessions_of_the_user_are_listed_in_pages_and_the_asking_one_is_marked(db, world, sign_in):
    ada, bob = await world.users(2)
    hers = [await sign_in(ada, f"browser {number}") for number in range(5)]
    await age(db, "sessions", *[one.id for one in hers])
    await sign_in(bob)
    await sessions.end(db, hers[0], hers[1].id)
    await db.rows("update sessions set expires_at = now() where id = %s returning id", hers[2].id)
    page = await sessions.live(db, hers[3], limit=2)
    assert [(one["id"], one["userAgent"], one["current"]) for one in page["items"]] == [
        (hers[4].id, "browser 4", False),
        (hers[3].id, "browser 3", True),
    ]
    assert set(page["items"][0]) == {"id", "userAgent", "createdAt", "lastUsedAt", "current"}
    assert await ids(db, hers[3], limit=2, after=page["next"]) == [hers[0].id]


@pytest.mark.gen_test
async def test_a_session_ends_once_and_only_for_its_user(db, world, sign_in):
    ada, bob = await world.users(2)
    hers, other, his = await sign_in(ada), await sign_in(ada), await sign_in(bob)
    for foreign in (his.id, key()):
        with refused("not_found"):
            await sessions.end(db, hers, foreign)
    assert await ids(db, his) == [his.id]
    await sessions.end(db, hers, other.id)
    ended = await db.row("select revoked_at from sessions where id = %s", other.id)
    await sessions.end(db, hers, other.id)
    assert await db.row("select revoked_at from sessions where id = %s", other.id) == ended
    assert await ids(db, hers) == [hers.id]


@pytest.mark.gen_test
async def test_all_others_end_and_nobody_elses(db, world, sign_in):
    ada, bob = await world.users(2)
    hers, others, his = await sign_in(ada), [await sign_in(ada) for _ in range(3)], await sign_in(bob)
    assert set(await sessions.end_others(db, hers)) == {one.id for one in others}
    assert await sessions.end_others(db, hers) == []
    assert (await ids(db, hers), await ids(db, his)) == ([hers.id], [his.id])
