"""The sessions that an instance remembers for two seconds, and how soon an ended one is forgotten."""

import asyncio
import time

import pytest

from chat.accounts import Session
from handlers.sessions import REMEMBER_SECONDS, Sessions, bearer


class Known:
    """Accounts whose answer can be held back: the order of two database answers cannot be produced with real ones."""

    def __init__(self):
        self.asked = 0
        self.live = True
        self.hold = None

    async def session(self, token):
        self.asked += 1
        found = Session("s", "u") if self.live else None
        if self.hold:
            await self.hold.wait()
        return found


def test_a_session_is_asked_for_once_in_two_seconds():
    now, known = [0.0], Known()
    sessions = Sessions(known, clock=lambda: now[0])

    async def ask():
        return [await sessions.get("token") for _ in range(3)]

    assert asyncio.run(ask()) == [Session("s", "u")] * 3
    assert known.asked == 1
    now[0] = REMEMBER_SECONDS
    asyncio.run(ask())
    assert known.asked == 2


def test_what_is_no_session_is_not_remembered():
    known = Known()
    sessions = Sessions(known)

    async def ask():
        known.live = False
        before = await sessions.get("token")
        known.live = True
        return before, await sessions.get("token"), await sessions.get(None), await sessions.get("")

    assert asyncio.run(ask()) == (None, Session("s", "u"), None, None)


def test_a_session_that_ends_while_it_is_looked_up_is_not_remembered():
    known = Known()
    sessions = Sessions(known)

    async def race():
        known.hold = asyncio.Event()
        looking = asyncio.ensure_future(sessions.get("token"))
        await asyncio.sleep(0)
        known.live = False
        sessions.forget("token")
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
    assert len([sql for sql in mine if "send_message" in sql]) == 1
    assert not [sql for sql in mine if "sessions" in sql and "token_hash" in sql]


@pytest.mark.parametrize("header, token", [
    ("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Bearer", None), ("Bearer ", None), ("Basic abc", None),
    ("", None), ("abc", None),
])
def test_a_bearer_token_is_read_from_its_header(header, token):
    assert bearer(header) == token
