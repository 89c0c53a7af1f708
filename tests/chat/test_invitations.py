"""Who may sign up: the first account, which owns the server, and after it those with an invitation that is valid."""

import asyncio
from contextlib import asynccontextmanager, closing

import psycopg2
import pytest
from argon2 import PasswordHasher

from chat import invitations
from chat.accounts import Accounts
from chat.sign_in_attempts import AttemptLimits
from errors import Refused
from tests.chat.conftest import age, key, refused, until

PASSWORD = "correct horse battery"


def name() -> str:
    return "u" + key()[:12]


@pytest.fixture
def made(db):
    """`made(db, open=False)` → an `Accounts` on a database."""
    created = []

    def make(on=db, open=False):
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        created.append(Accounts(on, AttemptLimits(1000, 1000, 300), open=open, hasher=hasher))
        return created[-1]

    yield make
    for accounts in created:
        accounts.close()


@pytest.fixture
def accounts(made, world, io_loop):
    """A server that has its owner: all others need an invitation."""
    io_loop.run_sync(world.user)
    return made()


@pytest.fixture
def invite(db, world):
    async def make(days=7, uses=1, op=None):
        owner = (await db.row("select id from users where is_owner")).id
        return await invitations.create(db, owner, op or key(), days, uses)

    return make


def sign_up(accounts, username=None, *, op=None, invitation=None):
    return accounts.sign_up(op, username or name(), PASSWORD, None, "192.0.2.1", "pytest", invitation)


@asynccontextmanager
async def held(url, statement, *parameters, waiting):
    """What the block starts comes as far as what `statement` locks; let go when so many wait."""
    with closing(psycopg2.connect(url)) as gate, closing(psycopg2.connect(url)) as watch:
        watch.autocommit = True
        gate.cursor().execute(statement, parameters)
        yield

        async def all_wait():
            with watch.cursor() as cursor:
                cursor.execute(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
                )
                return cursor.fetchone()[0] == waiting

        await until(all_wait)
        gate.commit()


async def uses(db, invitation):
    return (await db.row("select uses from invitations where id = %s", invitation["id"])).uses


# The owner


@pytest.mark.gen_test
async def test_the_first_account_owns_the_server_and_needs_no_invitation(new_database, opened, made):
    fresh = await opened(new_database())
    accounts = made(fresh)
    assert not await accounts.inhabited()
    first = await sign_up(accounts)
    assert first["user"]["isOwner"] and (await accounts.session(first["token"])).owner
    assert await accounts.inhabited()
    second = await sign_up(made(fresh, open=True))
    assert not second["user"]["isOwner"] and not (await accounts.session(second["token"])).owner


@pytest.mark.gen_test
async def test_two_first_sign_ups_at_once_make_exactly_one_owner(new_database, opened, made):
    url = new_database()
    fresh = await opened(url)
    accounts = made(fresh, open=True)
    async with held(url, "lock table users in share mode", waiting=2):
        signing_up = [asyncio.ensure_future(sign_up(accounts)) for _ in range(2)]
    answers = await asyncio.gather(*signing_up)
    assert sorted(answer["user"]["isOwner"] for answer in answers) == [False, True]
    assert (await fresh.row("select count(*) as n from users where is_owner")).n == 1


@pytest.mark.gen_test
async def test_of_two_first_sign_ups_at_once_on_a_server_by_invitation_one_is_refused(new_database, opened, made):
    url = new_database()
    accounts = made(await opened(url))
    async with held(url, "lock table users in share mode", waiting=2):
        signing_up = [asyncio.ensure_future(sign_up(accounts)) for _ in range(2)]
    answers = await asyncio.gather(*signing_up, return_exceptions=True)
    (error,) = [answer for answer in answers if isinstance(answer, Refused)]
    assert error.code == "invitation_needed"


# Signing up with an invitation


@pytest.mark.gen_test
async def test_without_an_invitation_nobody_signs_up_nor_learns_which_names_are_taken(db, accounts, world):
    await world.user(taken := name())
    for username in (name(), taken):
        with refused("invitation_needed"):
            await sign_up(accounts, username)
        with refused("invitation_invalid", "invitation"):
            await sign_up(accounts, username, invitation="made up")
    with refused("username_taken", "username"):
        await sign_up(
            accounts, taken, invitation=(await invitations.create(db, await world.user(), key(), 7, 1))["token"]
        )


@pytest.mark.gen_test
async def test_an_invitation_is_good_for_so_many_accounts(db, accounts, invite):
    invitation = await invite(uses=2)
    for count in (1, 2):
        await sign_up(accounts, invitation=invitation["token"])
        assert await uses(db, invitation) == count
    refused_one = name()
    with refused("invitation_invalid", "invitation"):
        await sign_up(accounts, refused_one, invitation=invitation["token"])
    assert not await db.rows("select id from users where username = %s", refused_one)
    assert (await invitations.state(db, invitation["token"]))[0] == "used"


@pytest.mark.gen_test
async def test_a_refused_name_takes_no_use(db, accounts, invite, world):
    await world.user(taken := name())
    invitation = await invite()
    with refused("username_taken", "username"):
        await sign_up(accounts, taken, invitation=invitation["token"])
    assert await uses(db, invitation) == 0


@pytest.mark.gen_test
async def test_a_retry_takes_no_other_use_and_is_answered_when_there_is_none_left(db, accounts, invite):
    invitation, username, op = await invite(), name(), key()
    first = await sign_up(accounts, username, op=op, invitation=invitation["token"])
    assert await sign_up(accounts, username, op=op, invitation=invitation["token"]) == first
    await invitations.revoke(db, invitation["id"])
    assert await sign_up(accounts, username, op=op, invitation=invitation["token"]) == first
    assert await uses(db, invitation) == 1


@pytest.mark.gen_test
async def test_of_two_sign_ups_at_once_for_the_last_use_one_gets_it(db, accounts, invite, database):
    invitation, names = await invite(), [name(), name()]
    async with held(database, "select from invitations where id = %s for update", invitation["id"], waiting=2):
        signing_up = [asyncio.ensure_future(sign_up(accounts, one, invitation=invitation["token"])) for one in names]
    answers = await asyncio.gather(*signing_up, return_exceptions=True)
    assert [answer.code for answer in answers if isinstance(answer, Refused)] == ["invitation_invalid"]
    (joined,) = [answer["user"]["username"] for answer in answers if isinstance(answer, dict)]
    assert [row.username for row in await db.rows("select username from users where username = any(%s)", names)] == [
        joined
    ]
    assert await uses(db, invitation) == 1


@pytest.mark.gen_test
async def test_one_sign_up_sent_twice_at_once_takes_the_last_use_once(db, accounts, invite, database):
    invitation, username, op = await invite(), name(), key()
    async with held(database, "select from invitations where id = %s for update", invitation["id"], waiting=2):
        signing_up = [
            asyncio.ensure_future(sign_up(accounts, username, op=op, invitation=invitation["token"])) for _ in range(2)
        ]
    one, other = await asyncio.gather(*signing_up)
    assert one == other
    assert await uses(db, invitation) == 1


@pytest.mark.parametrize("change, ended", [
    ("expires_at = now() - interval '1 second'", "expired"), ("revoked_at = now()", "revoked"), ("uses = max_uses", "used"),
], ids=["expired", "revoked", "used"])  # fmt: skip
@pytest.mark.gen_test
async def test_an_invitation_that_has_ended_lets_nobody_in(db, accounts, invite, change, ended):
    invitation = await invite()
    assert (await invitations.state(db, invitation["token"]))[0] == "valid"
    await db.rows(f"update invitations set {change} where id = %s returning id", invitation["id"])
    assert (await invitations.state(db, invitation["token"]))[0] == ended
    with refused("invitation_invalid", "invitation"):
        await sign_up(accounts, invitation=invitation["token"])


@pytest.mark.gen_test
async def test_on_an_open_server_a_valid_invitation_is_counted_and_another_does_no_harm(db, accounts, made, invite):
    invitation, accounts = await invite(), made(open=True)
    for token in (invitation["token"], invitation["token"], "made up", None):
        assert await sign_up(accounts, invitation=token)
    assert await uses(db, invitation) == 1


# Making and withdrawing


@pytest.mark.gen_test
async def test_a_retried_invitation_is_the_same_and_its_key_is_good_for_nothing_else(invite):
    op = key()
    first = await invite(days=7, uses=5, op=op)
    assert await invite(days=7, uses=5, op=op) == first
    for days, uses in ((6, 5), (7, 4)):
        with refused("idempotency_key_reused", "Idempotency-Key"):
            await invite(days=days, uses=uses, op=op)


@pytest.mark.gen_test
async def test_invitations_are_listed_in_pages_without_those_withdrawn(db, accounts, invite):
    await db.rows("delete from invitations returning id")
    made = [(await invite())["id"] for _ in range(3)]
    await age(db, "invitations", *made)
    withdrawn = (await invite())["id"]
    for _ in range(2):
        await invitations.revoke(db, withdrawn)
    first = await invitations.listed(db, limit=2)
    rest = await invitations.listed(db, limit=2, after=first["next"])
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    with refused("not_found"):
        await invitations.revoke(db, key())


@pytest.mark.gen_test
async def test_a_token_that_nobody_made_is_nothing(db):
    assert await invitations.state(db, "made-up") == (None, None)
