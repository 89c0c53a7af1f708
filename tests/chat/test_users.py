"""The people of the server: one of them, and the search for them."""

from contextlib import closing

import psycopg2
import pytest

from chat import users
from tests.chat.conftest import key, refused

PEOPLE = {
    "ada": "Ada Lovelace",
    "Alan": "Alan Turing",
    "grace": "Grace Hopper",
    "a_b": "Under_score",
    "axb": "No wildcard",
    "per%cent": "100 % real",
    "back\\slash": "C:\\Users",
    "Émilie": "Émilie du Châtelet",
    "ĲSBRAND": "ÇA VA",
    "İlkay": "ΟΔΥΣΣΕΥΣ",
}


@pytest.fixture(scope="module")
def peopled(new_database):
    """A server of its own with these people, so that a search finds nobody else."""
    url = new_database()
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for name, display_name in PEOPLE.items():
            cursor.execute("select create_user(%s, %s, 'no password', null)", (name, display_name))
    return url


@pytest.fixture
def people(io_loop, opened, peopled):
    return io_loop.run_sync(lambda: opened(peopled))


async def _found(db, query, **how):
    page = await users.search(db, query, **how)
    return [user["username"] for user in page["items"]]


@pytest.mark.gen_test
async def test_a_user_is_shown_without_secrets(db, world):
    ada = await world.user("ada", "Ada Lovelace")
    found = await users.get(db, ada)
    assert set(found) == {"id", "username", "displayName", "createdAt"}
    assert (found["id"], found["username"], found["displayName"]) == (ada, "ada", "Ada Lovelace")
    assert (await users.search(db, "ada"))["items"] == [found]


@pytest.mark.gen_test
async def test_a_missing_user_is_not_found(db):
    with refused("not_found", None):
        await users.get(db, key())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("a", ["a_b", "ada", "Alan", "axb", "grace", "per%cent", "ĲSBRAND"]),  # of a display name any part will do
        ("AL", ["Alan", "per%cent"]),
        ("lov", ["ada"]),
        ("turing", ["Alan"]),
        ("xb", []),  # of a username only the beginning
        ("a_", ["a_b"]),
        ("_", ["a_b"]),
        ("%", ["per%cent"]),
        ("per%", ["per%cent"]),
        ("\\", ["back\\slash"]),
        ("back\\", ["back\\slash"]),
        ("\\%", []),
        ("émilie", ["Émilie"]),
        ("ÉMILIE", ["Émilie"]),
        ("châ", ["Émilie"]),
        ("ĳs", ["ĲSBRAND"]),
        ("ça", ["ĲSBRAND"]),
        ("nobody", []),
    ],
)
@pytest.mark.gen_test
async def test_a_search_takes_its_text_literally_and_in_any_case(people, query, found):
    assert await _found(people, query) == found


@pytest.mark.gen_test
async def test_everybody_is_found_by_what_they_are_called(people):
    """Also where Python's and PostgreSQL's lower case differ: dotted I, final sigma."""
    for name, display_name in PEOPLE.items():
        assert name in await _found(people, name)
        assert name in await _found(people, display_name)


@pytest.mark.gen_test
async def test_an_empty_search_lists_everybody_by_username_in_pages(people):
    everybody = await _found(people, "")
    assert sorted(everybody) == sorted(PEOPLE) and everybody[:3] == ["a_b", "ada", "Alan"]
    first = await users.search(people, "", limit=5)
    second = await users.search(people, "", after=first["next"], limit=5)
    assert [user["username"] for user in first["items"] + second["items"]] == everybody
    assert first["next"] == first["items"][-1]["id"] and second["next"] is None


@pytest.mark.gen_test
async def test_pages_of_a_search_hold_only_what_it_found(people):
    first = await users.search(people, "a", limit=2)
    second = await users.search(people, "a", after=first["next"], limit=10)
    assert [user["username"] for user in first["items"] + second["items"]] == await _found(people, "a")


@pytest.mark.gen_test
async def test_usernames_differ_by_more_than_case(db, world):
    await world.user("Grace")
    with refused("username_taken", "username"):
        await world.user("gRACE")
