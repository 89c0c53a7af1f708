"""Accounts: signing up, in and out, what is kept of tokens and passwords, and limits on guessing."""

import asyncio
import hashlib
import threading

import pytest
from argon2 import PasswordHasher

from chat.accounts import Accounts, Login
from chat.sign_in_attempts import AttemptLimits
from errors import Refused
from tests.chat.conftest import key, refused

PASSWORD = "correct horse battery"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Hasher(PasswordHasher):
    """Cheap, and remembers what it was asked to verify against."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = []

    def verify(self, hashed, password):
        self.verified.append(hashed)
        return super().verify(hashed, password)


@pytest.fixture
def made(db):
    """`made(**limits)` → an `Accounts`; limits that a test does not name are out of its way."""
    created = []

    def make(*, per_account=1000, per_address=1000, window=300, hasher=None, days=30):
        limits = AttemptLimits(per_account, per_address, window)
        created.append(Accounts(db, limits, days=days, hasher=hasher or Hasher()))
        return created[-1]

    yield make
    for accounts in created:
        accounts.close()


@pytest.fixture
def accounts(made):
    return made()


@pytest.fixture
def here():
    """An address that no other test counts attempts of."""
    return key()


def name() -> str:
    return "u" + key()[:12]


def sign_up(accounts, username, *, op=None, password=PASSWORD, display_name=None, address=HERE):
    return accounts.sign_up(op, username, password, display_name, address, "pytest")


def sign_in(accounts, username, *, op=None, password=PASSWORD, address=HERE):
    return accounts.sign_in(op, username, password, address, "pytest")


async def sessions_of(db, user_id):
    return await db.rows("select * from sessions where user_id = %s order by created_at", user_id)


# Signing up


@pytest.mark.gen_test
async def test_signing_up_makes_a_user_who_is_signed_in(db, accounts):
    username = name()
    answer = await sign_up(accounts, username, display_name="Ada Lovelace")
    assert set(answer) == {"user", "token"}
    assert set(answer["user"]) == {"id", "username", "displayName", "createdAt", "isOwner"}
    assert (answer["user"]["username"], answer["user"]["displayName"]) == (username, "Ada Lovelace")
    session = await accounts.session(answer["token"])
    assert session == Login((await sessions_of(db, answer["user"]["id"]))[0].id, answer["user"]["id"])
    assert (await sign_up(accounts, other := name()))["user"]["displayName"] == other


@pytest.mark.parametrize("op", [None, "7f1d2c7e-0b5a-4d43-9d0e-5a1c7f0e9b11"], ids=["without a key", "with a key"])
@pytest.mark.gen_test
async def test_neither_token_nor_key_nor_password_is_in_the_database(db, accounts, op):
    answer = await sign_up(accounts, name(), op=op)
    (session,) = await sessions_of(db, answer["user"]["id"])
    assert bytes(session.token_hash) == hashlib.sha256(answer["token"].encode()).digest()
    dump = await db.row(
        """select (select json_agg(u) from users u)::text || (select json_agg(s) from sessions s)::text
                  || (select json_agg(a) from sign_in_attempts a)::text || (select json_agg(p) from parley p)::text as text"""
    )
    assert answer["user"]["id"] in dump.text
    for secret in (
        answer["token"],
        answer["token"].encode().hex(),
        PASSWORD,
        *([op, op.replace("-", "")] if op else []),
    ):
        assert secret not in dump.text
    assert (
        await db.row("select password_hash from users where id = %s", answer["user"]["id"])
    ).password_hash.startswith("$argon2id$")


@pytest.mark.gen_test
async def test_a_retried_sign_up_answers_the_same_user_and_token(db, accounts):
    username, op = name(), key()
    first = await sign_up(accounts, username, op=op)
    assert await sign_up(accounts, username, op=op) == first
    assert len(await sessions_of(db, first["user"]["id"])) == 1


@pytest.mark.gen_test
async def test_a_sign_ups_key_is_good_for_its_password_alone(accounts):
    username, op = name(), key()
    await sign_up(accounts, username, op=op)
    with refused("idempotency_key_reused", "Idempotency-Key"):
        await sign_up(accounts, username, op=op, password="another password")


@pytest.mark.parametrize("op", [None, "7f1d2c7e-0b5a-4d43-9d0e-5a1c7f0e9b11"], ids=["without a key", "with a key"])
@pytest.mark.gen_test
async def test_a_username_is_taken_in_every_case(accounts, op):
    username = name()
    await sign_up(accounts, username, op=key())
    for spelling in (username, username.upper()):
        with refused("username_taken", "username"):
            await sign_up(accounts, spelling, op=op)


@pytest.mark.gen_test
async def test_of_those_who_want_a_name_at_once_one_gets_it(db, accounts):
    username = name()
    outcomes = await asyncio.gather(
        *(
            sign_up(accounts, username, op=op, password=f"password of {number}")
            for number, op in enumerate((None, None, key(), key()))
        ),
        return_exceptions=True,
    )
    refusals = [outcome.code for outcome in outcomes if isinstance(outcome, Refused)]
    assert refusals == ["username_taken"] * 3
    (winner,) = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert len(await sessions_of(db, winner["user"]["id"])) == 1


@pytest.mark.gen_test
async def test_one_sign_up_sent_three_times_at_once_is_one(db, accounts):
    username, op = name(), key()
    answers = await asyncio.gather(*(sign_up(accounts, username, op=op) for _ in range(3)))
    assert answers[0] == answers[1] == answers[2]
    assert len(await sessions_of(db, answers[0]["user"]["id"])) == 1


# Signing in


@pytest.mark.gen_test
async def test_signing_in_takes_the_name_in_any_case_and_the_password_in_one(accounts):
    username = name()
    user = (await sign_up(accounts, username))["user"]
    assert (await sign_in(accounts, username.upper()))["user"] == user
    with refused("wrong_credentials"):
        await sign_in(accounts, username, password=PASSWORD.upper())


@pytest.mark.gen_test
async def test_it_is_not_told_whether_the_name_or_the_password_was_wrong(made):
    hasher = Hasher()
    accounts, username = made(hasher=hasher), name()
    await sign_up(accounts, username)
    told = []
    for attempt in (
        sign_in(accounts, username, password="wrong"),
        sign_in(accounts, name()),
        sign_in(accounts, name()),
    ):
        done = len(hasher.verified)
        with pytest.raises(Refused) as raised:
            await attempt
        told.append((raised.value.body(), raised.value.retry_after, len(hasher.verified) - done))
    assert told[0] == told[1] == told[2] and told[0][2] == 1  # the same work as well


@pytest.mark.gen_test
async def test_every_sign_in_is_a_session_of_its_own_but_a_retry_is_not(db, accounts):
    username, op = name(), key()
    user_id = (await sign_up(accounts, username, op=op))["user"]["id"]
    tokens = [(await sign_in(accounts, username, op=one))["token"] for one in (None, None, op, op, key())]
    assert tokens[2] == tokens[3] and len(set(tokens)) == 4
    assert len(await sessions_of(db, user_id)) == 5
    assert len({(await accounts.session(token)).id for token in tokens}) == 4


@pytest.mark.gen_test
async def test_the_same_key_of_two_people_gives_two_tokens(accounts):
    one, other, op = name(), name(), key()
    tokens = {(await sign_up(accounts, username, op=op))["token"] for username in (one, other)}
    tokens |= {(await sign_in(accounts, username, op=op))["token"] for username in (one, other)}
    assert len(tokens) == 4


@pytest.mark.gen_test
async def test_a_retry_without_the_password_gets_no_token(accounts):
    username, op = name(), key()
    await sign_up(accounts, username)
    await sign_in(accounts, username, op=op)
    with refused("wrong_credentials"):
        await sign_in(accounts, username, op=op, password="guessed")


# Sessions


@pytest.mark.gen_test
async def test_no_token_but_the_whole_one_is_a_session(accounts):
    token = (await sign_up(accounts, name()))["token"]
    for other in ("", token[:-1], token + "x", token.swapcase(), "x" * len(token)):
        assert await accounts.session(other) is None
    assert await accounts.session(token)


@pytest.mark.gen_test
async def test_signing_out_ends_this_session_alone(accounts):
    username = name()
    one, other = [(await sign_in_or_up(accounts, username))["token"] for sign_in_or_up in (sign_up, sign_in)]
    session = await accounts.session(one)
    assert await accounts.sign_out(one) == session
    assert await accounts.session(one) is None and await accounts.session(other) is not None
    with refused("not_signed_in"):
        await accounts.sign_out("no token")


@pytest.mark.gen_test
async def test_signing_out_again_changes_nothing(db, accounts):
    answer = await sign_up(accounts, name())
    first = await accounts.sign_out(answer["token"])
    before = await sessions_of(db, answer["user"]["id"])
    assert await accounts.sign_out(answer["token"]) == first
    assert await sessions_of(db, answer["user"]["id"]) == before


@pytest.mark.parametrize("end", ["sign out", "expire"])
@pytest.mark.gen_test
async def test_a_retried_sign_in_does_not_answer_the_token_of_an_ended_session(db, accounts, end):
    username, op = name(), key()
    user_id = (await sign_up(accounts, username))["user"]["id"]
    token = (await sign_in(accounts, username, op=op))["token"]
    if end == "sign out":
        await accounts.sign_out(token)
    else:
        await db.rows(
            "update sessions set expires_at = now() - interval '1 second' where user_id = %s returning 1", user_id
        )
    with refused("idempotency_key_reused", "Idempotency-Key"):
        await sign_in(accounts, username, op=op)
    assert await accounts.session(token) is None


@pytest.mark.gen_test
async def test_a_session_that_is_used_lives_on_and_one_that_is_not_ends(db, made):
    accounts = made(days=10)
    answer = await sign_up(accounts, name())
    user_id = answer["user"]["id"]

    async def left():
        row = await db.row(
            """select extract(epoch from expires_at - now()) / 86400 as days, last_used_at > now() - interval '1 minute' as touched
                              from sessions where user_id = %s""",
            user_id,
        )
        return round(float(row.days), 1), row.touched

    async def age(interval):
        await db.rows(
            """update sessions set last_used_at = last_used_at - %s::interval, expires_at = expires_at - %s::interval
                         where user_id = %s returning 1""",
            interval,
            interval,
            user_id,
        )

    assert await left() == (10.0, True)
    await age("50 minutes")
    assert await accounts.session(answer["token"])
    assert not (await left())[1]  # not written at every request
    await age("5 days")
    assert await accounts.session(answer["token"])
    assert await left() == (10.0, True)
    await age("10 days 1 second")
    assert await accounts.session(answer["token"]) is None
    assert not (await left())[1]


@pytest.mark.gen_test
async def test_housekeeping_forgets_what_ended_long_ago(db, made):
    accounts = made(window=60)
    username = name()
    user_id = (await sign_up(accounts, username))["user"]["id"]
    for _ in range(4):
        await sign_in(accounts, username)
    ids = [row.id for row in await sessions_of(db, user_id)]
    for id, change in zip(
        ids,
        (
            "revoked_at = now() - interval '31 days'",
            "expires_at = now() - interval '31 days'",
            "revoked_at = now() - interval '29 days'",
            "expires_at = now() - interval '29 days'",
        ),
        strict=False,
    ):
        await db.rows(f"update sessions set {change} where id = %s returning 1", id)
    for attempt, age in (("old", 121), ("young", 100)):
        await db.rows(
            "insert into sign_in_attempts values (%s, 1, now() - make_interval(secs => %s)) returning 1",
            attempt + username,
            age,
        )
    await accounts.forget_old()
    assert [row.id for row in await sessions_of(db, user_id)] == ids[2:]
    assert [row.key for row in await db.rows("select key from sign_in_attempts where key like %s", "%" + username)] == [
        "young" + username
    ]


# Changing the password

NEW = "a better battery"


@pytest.mark.gen_test
async def test_a_new_password_takes_the_place_of_the_old_one_and_ends_all_other_sessions(accounts):
    username = name()
    tokens = [
        (await sign_up(accounts, username))["token"],
        *[(await sign_in(accounts, username))["token"] for _ in range(2)],
    ]
    mine, *others = [await accounts.session(token) for token in tokens]
    assert set(await accounts.change_password(mine, PASSWORD, NEW, HERE)) == {one.id for one in others}
    assert [await accounts.session(token) for token in tokens] == [mine, None, None]
    with refused("wrong_credentials"):
        await sign_in(accounts, username)
    assert await sign_in(accounts, username, password=NEW)


@pytest.mark.gen_test
async def test_who_does_not_know_the_password_cannot_change_it(accounts):
    username = name()
    token = (await sign_up(accounts, username))["token"]
    mine, other = await accounts.session(token), (await sign_in(accounts, username))["token"]
    with refused("wrong_password", "currentPassword"):
        await accounts.change_password(mine, "guessed", NEW, HERE)
    assert await accounts.session(other)
    assert await sign_in(accounts, username)


@pytest.mark.gen_test
async def test_a_change_whose_answer_was_lost_can_be_repeated(accounts):
    username = name()
    mine = await accounts.session((await sign_up(accounts, username))["token"])
    for _ in range(2):
        await accounts.change_password(mine, PASSWORD, NEW, HERE)
    assert await sign_in(accounts, username, password=NEW)


@pytest.mark.gen_test
async def test_guesses_at_the_current_password_are_limited_from_everywhere(made, here):
    accounts = made(per_account=2)
    mine = await accounts.session((await sign_up(accounts, name(), address=here))["token"])
    for address in (here, key()):
        with refused("wrong_password"):
            await accounts.change_password(mine, "guessed", NEW, address)
    with refused("too_many_attempts"):
        await accounts.change_password(mine, PASSWORD, NEW, key())


@pytest.mark.gen_test
async def test_a_sign_in_with_the_old_password_that_is_under_way_gets_no_session(db, accounts):
    """The old password was right when it was looked at; the session would outlive the change that ends all others."""
    username = name()
    answer = await sign_up(accounts, username)
    verified, changed = threading.Event(), threading.Event()

    class Slow(Hasher):
        def verify(self, hashed, password):
            super().verify(hashed, password)
            verified.set()
            assert changed.wait(10)
            return True

    slow = Accounts(db, AttemptLimits(1000, 1000, 300), hasher=Slow())
    signing_in = asyncio.ensure_future(sign_in(slow, username))
    await asyncio.to_thread(verified.wait, 10)
    await accounts.change_password(await accounts.session(answer["token"]), PASSWORD, NEW, HERE)
    changed.set()
    with refused("wrong_credentials"):
        await signing_in
    slow.close()
    assert len([row for row in await sessions_of(db, answer["user"]["id"]) if row.revoked_at is None]) == 1


# Limits on guessing


async def guess(accounts, username, address, times):
    for _ in range(times):
        with refused("wrong_credentials"):
            await sign_in(accounts, username, password="guessed", address=address)


@pytest.mark.gen_test
async def test_an_account_is_guessed_at_a_few_times_from_one_address(made, here):
    accounts, username = made(per_account=3, window=300), name()
    await sign_up(accounts, username, address=here)
    await guess(accounts, username, here, 3)
    with pytest.raises(Refused) as raised:
        await sign_in(accounts, username.upper(), address=here)  # with the right password as well
    assert raised.value.code == "too_many_attempts" and 290 <= raised.value.retry_after <= 300
    # Nobody is locked out of their account by the guesses of others.
    assert await sign_in(accounts, username, address=ELSEWHERE + here)


@pytest.mark.gen_test
async def test_unknown_accounts_are_limited_like_known_ones(made, here):
    accounts, username = made(per_account=3), name()
    await guess(accounts, username, here, 3)
    with refused("too_many_attempts"):
        await sign_in(accounts, username, address=here)


@pytest.mark.gen_test
async def test_other_spellings_of_a_name_are_no_further_guesses(made, here):
    """PostgreSQL, which finds the account, decides what is the same: it makes a plain i of a dotted capital I, Python does not."""
    accounts = made(per_account=3)
    unique = key()[:12]
    await sign_up(accounts, "iii" + unique, address=here)
    await guess(accounts, "iii" + unique, here, 3)
    for spelling in ("İii", "iİi", "İİİ", "III"):
        with refused("too_many_attempts"):
            await sign_in(accounts, spelling + unique, address=here)


@pytest.mark.gen_test
async def test_an_address_guesses_at_all_accounts_together_a_few_times(made, here):
    accounts, username = made(per_address=5), name()
    await sign_up(accounts, username, address=here)
    for _ in range(4):
        await guess(accounts, name(), here, 1)
    with refused("too_many_attempts"):
        await sign_in(accounts, username, address=here)
    with refused("too_many_attempts"):
        await sign_up(accounts, name(), address=here)
    assert await sign_in(accounts, username, address=ELSEWHERE + here)


@pytest.mark.gen_test
async def test_a_success_takes_its_attempt_back_and_no_other(made, here):
    accounts, username = made(per_account=2, per_address=4), name()
    await sign_up(accounts, username, address=here)  # new accounts are counted too
    await guess(accounts, username, here, 1)
    for _ in range(5):
        await sign_in(accounts, username, address=here)
    await guess(accounts, username, here, 1)
    with refused("too_many_attempts"):
        await sign_in(accounts, username, address=here)


@pytest.mark.gen_test
async def test_a_window_ends_however_much_is_tried_in_it(db, made, here):
    accounts, username = made(per_account=2, window=60), name()
    await sign_up(accounts, username, address=here)
    await guess(accounts, username, here, 2)
    account = f"account:{username}@{here}"
    await db.rows(
        "update sign_in_attempts set window_start = window_start - interval '50 seconds' where key = %s returning 1",
        account,
    )
    for _ in range(3):
        with pytest.raises(Refused) as raised:
            await sign_in(accounts, username, address=here)
        assert 1 <= raised.value.retry_after <= 10
    await db.rows(
        "update sign_in_attempts set window_start = window_start - interval '11 seconds' where key = %s returning 1",
        account,
    )
    assert await sign_in(accounts, username, address=here)
    await guess(accounts, username, here, 2)
    with refused("too_many_attempts"):
        await sign_in(accounts, username, address=here)


@pytest.mark.gen_test
async def test_guesses_at_the_same_time_are_all_counted(made, here):
    accounts, username = made(per_account=3), name()
    await sign_up(accounts, username, address=here)
    outcomes = await asyncio.gather(
        *(sign_in(accounts, username, password="guessed", address=here) for _ in range(8)), return_exceptions=True
    )
    assert sorted(outcome.code for outcome in outcomes) == ["too_many_attempts"] * 5 + ["wrong_credentials"] * 3


# The event loop


class WaitsForTheLoop(Hasher):
    """Hashes only while the event loop runs, and one at a time."""

    def __init__(self, loop):
        super().__init__()
        self._loop = loop
        self.at_once = self.most_at_once = 0

    def _wait(self):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        turned = threading.Event()
        self._loop.call_soon_threadsafe(turned.set)
        assert turned.wait(5), "the event loop stood still"
        self.at_once -= 1

    def hash(self, password, **more):
        self._wait()
        return super().hash(password, **more)

    def verify(self, hashed, password):
        self._wait()
        return super().verify(hashed, password)


@pytest.mark.gen_test
async def test_the_event_loop_runs_while_passwords_are_hashed_one_at_a_time(made):
    hasher = WaitsForTheLoop(asyncio.get_running_loop())
    accounts, names = made(hasher=hasher), [name() for _ in range(3)]
    await asyncio.gather(*(sign_up(accounts, username) for username in names))
    await asyncio.gather(*(sign_in(accounts, username) for username in names))
    with refused("wrong_credentials"):
        await sign_in(accounts, name())
    assert hasher.most_at_once == 1
