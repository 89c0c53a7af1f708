"""The sessions that an instance remembers, and how soon an ended one is forgotten."""

import asyncio
import time

import pytest

from chat.accounts import Login
from tests.handlers.served import until
from web.session_cache import CONFIRMED_SECONDS, LONGEST_SECONDS, REMEMBER_SECONDS, SessionCache, bearer


class Known:
    """Accounts whose answer can be held back: the order of two database answers cannot be produced with real ones."""

    def __init__(self):
        self.asked = 0
        self.live = True
        self.hold = None

    async def session(self, token):
        self.asked += 1
        found = Login("s", "u") if self.live else None
        if self.hold:
            await self.hold.wait()
        return found


def test_a_session_is_asked_for_once_in_two_seconds():
    now, known = [0.0], Known()
    sessions = SessionCache(known, clock=lambda: now[0])

    async def ask():
        return [await sessions.get("token") for _ in range(3)]

    assert asyncio.run(ask()) == [Login("s", "u")] * 3
    assert known.asked == 1
    now[0] = REMEMBER_SECONDS
    asyncio.run(ask())
    assert known.asked == 2


def test_one_that_checks_find_alive_is_remembered_longer_but_not_for_ever():
    now, known = [0.0], Known()
    sessions = SessionCache(known, clock=lambda: now[0])
    asyncio.run(sessions.get("token"))
    while now[0] < LONGEST_SECONDS - CONFIRMED_SECONDS:
        now[0] += CONFIRMED_SECONDS / 2
        sessions.confirmed(sessions.ids(), now[0] - 0.1)
        asyncio.run(sessions.get("token"))
    assert known.asked == 1 and sessions.ids() == {"s"}
    now[0] = LONGEST_SECONDS
    sessions.confirmed(sessions.ids(), now[0])
    asyncio.run(sessions.get("token"))
    assert known.asked == 2


@pytest.mark.parametrize(
    "told",
    [
        lambda sessions, now: sessions.confirmed({"another"}, now),
        lambda sessions, now: sessions.confirmed(sessions.ids(), now - CONFIRMED_SECONDS),
        lambda sessions, now: sessions.forget_ended(["s"]),
        lambda sessions, now: sessions.clear(),
    ],
    ids=["not found alive", "long ago", "ended", "another history"],
)
def test_one_that_they_do_not_is_asked_for_again(told):
    now, known = [0.0], Known()
    sessions = SessionCache(known, clock=lambda: now[0])
    asyncio.run(sessions.get("token"))
    told(sessions, 0.0)
    now[0] = REMEMBER_SECONDS
    asyncio.run(sessions.get("token"))
    assert known.asked == 2


def test_one_that_ended_while_the_checks_asked_does_not_come_back():
    known = Known()
    sessions = SessionCache(known)
    asyncio.run(sessions.get("token"))
    asked, at = sessions.ids(), time.monotonic()
    sessions.forget_ended(["s"])
    sessions.confirmed(asked, at)
    assert sessions.ids() == set()


def test_what_is_no_session_is_not_remembered():
    known = Known()
    sessions = SessionCache(known)

    async def ask():
        known.live = False
        before = await sessions.get("token")
        known.live = True
        return before, await sessions.get("token"), await sessions.get(None), await sessions.get("")

    assert asyncio.run(ask()) == (None, Login("s", "u"), None, None)


def test_a_session_that_ends_while_it_is_looked_up_is_not_remembered():
    known = Known()
    sessions = SessionCache(known)

    async def race():
        known.hold = asyncio.Event()
        looking = asyncio.ensure_future(sessions.get("token"))
        await asyncio.sleep(0)
        known.live = False
        sessions.forget_ended(["s"])
        known.hold.set()
        await looking
        return await sessions.get("token")

    assert asyncio.run(race()) is None


def test_a_session_ended_elsewhere_is_over_in_two_seconds(serve, new_database):
    database = new_database()
    one, two = serve(database), serve(database)
    user = one.user()
    there = two.client(Authorization=f"Bearer {user.token}")
    assert there.get("/api/me").status == 200
    assert user.post("/api/sign-out").status == 204
    deadline = time.monotonic() + 3
    while there.get("/api/me").status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_ended_elsewhere_is_over_at_once_where_redis_tells_it(serve, new_database):
    database = new_database()
    one, two = serve(database), serve(database)

    async def never(*arguments):
        await asyncio.Event().wait()

    two.node.reconciler.check = never
    user = one.user()
    there = two.client(Authorization=f"Bearer {user.token}")
    assert there.get("/api/me").status == 200
    two.services.session_cache.confirmed(two.services.session_cache.ids(), time.monotonic() + 60)
    assert user.post("/api/sign-out").status == 204
    assert until(lambda: there.get("/api/me").status == 401)


def test_the_checks_look_after_what_is_remembered(served):
    sessions = served.services.session_cache
    before = sessions.ids()
    served.user().get("/api/me")
    (new,) = sessions.ids() - before

    def good_for():
        return next(until - read_at for session, read_at, until in sessions._known.values() if session.id == new)

    assert until(lambda: good_for() > REMEMBER_SECONDS)


def test_one_request_costs_one_round_trip(served, alice):
    calls = []
    execute = served.db._execute

    async def counted(sql, parameters):
        calls.append(sql)
        return await execute(sql, parameters)

    chat = alice.chat()
    alice.get("/api/me")
    served.db._execute = counted
    try:
        alice.say(chat)
    finally:
        served.db._execute = execute
    mine = [sql for sql in calls if "chat_events" not in sql and "k (id, seq)" not in sql]
    assert len([sql for sql in mine if "create_message" in sql]) == 1
    assert not [sql for sql in mine if "sessions" in sql and "token_hash" in sql]


@pytest.mark.parametrize(
    "header, token",
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("", None),
        ("abc", None),
    ],
)
def test_a_bearer_token_is_read_from_its_header(header, token):
    assert bearer(header) == token
