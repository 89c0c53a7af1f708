"""Searching one's own chats, and nobody else's."""

import asyncio
import time
from contextlib import closing

import psycopg2
import pytest

from chat import search
from errors import Refused
from tests.chat.conftest import key, refused, until


async def index_all(world):
    """As the worker has it a moment after each commit."""
    heads = {row.id: 0 for row in await world.db.rows("select id from chats")}
    await search.index(world.db, heads, 1000)


async def found(world, user, text, **more):
    """The texts of the messages found."""
    await index_all(world)
    return [item["message"]["content"] for item in (await search.page(world.db, user, text, **more))["items"]]


@pytest.mark.parametrize(
    "text, parts",
    [
        ("tea", [("prefix", "tea", True)]),
        ("  hot   tea ", [("words", "hot", True), ("prefix", "tea", True)]),
        ("x", [("words", "x", True)]),
        ("tea x", [("words", "tea", True), ("prefix", "x", True)]),
        ('tea "with milk"', [("words", "tea", True), ("phrase", "with milk", True)]),
        ('tea "with mi', [("words", "tea", True), ("phrase", "with mi", True)]),
        ("tea -sugar", [("words", "tea", True), ("words", "sugar", False)]),
        ('-"no milk" tea', [("phrase", "no milk", False), ("prefix", "tea", True)]),
        ('"" tea', [("prefix", "tea", True)]),
        ("hot-dog", [("prefix", "hot-dog", True)]),
    ],
    ids=range(10),
)
def test_a_search_is_words_phrases_and_what_must_not_be_there(text, parts):
    assert search.parse(text) == parts


@pytest.mark.parametrize("text", ["-tea", '""', '-"hot tea" -milk'])
def test_something_must_be_looked_for(text):
    with pytest.raises(Refused) as raised:
        search.parse(text)
    assert (raised.value.code, raised.value.field) == ("invalid_value", "q")


@pytest.mark.parametrize(
    "marked, expected",
    [
        ("<a>tea</a>", [[0, 3]]),
        ("no", []),
        ("hot <a>tea</a>, more <a>tea</a>", [[4, 7], [14, 17]]),
        ("\U0001f44b\U0001f44b <a>Grüße</a>", [[5, 10]]),
    ],
    ids=["all", "nothing", "two", "astral"],
)
def test_highlights_count_utf_16_code_units(marked, expected):
    assert search.highlights(marked, "<a>", "</a>") == expected


@pytest.mark.gen_test
async def test_words_phrases_and_exclusions_find_what_they_say(world):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    texts = [
        "Lemon tea, please",
        "Tea with milk",
        "Milk with TEA",
        "Teapot and kettle",
        "Grüße aus Zürich",
        "It's John's e-mail: a.b@example.org",
    ]
    for text in texts:
        await world.send(ada, chat, text)
    lemon, milk, other, pot, swiss, mail = texts
    expected = {
        "tea": [pot, other, milk, lemon],
        "te": [pot, other, milk, lemon],
        "t": [],
        "TEA MILK": [other, milk],
        '"tea with milk"': [milk],
        "tea -milk": [lemon],
        'tea -"with milk"': [other, lemon],
        "zürich": [swiss],
        "grüß": [swiss],
        "tea lem": [lemon],
        "nothing of it": [],
        "a.b@example.org": [mail],
        "john's": [mail],
        "!!! :* & |": [],
        "tea' | \\": [other, milk, lemon],
        "x\\ te'": [],
        "(tea": [pot, other, milk, lemon],
        "tea:*": [pot, other, milk, lemon],
        "%": [],
        "<b>": [],
        "... -tea": [],
    }
    assert {text: await found(world, bob, text) for text in expected} == expected


@pytest.mark.gen_test
async def test_what_matches_is_marked_where_it_stands(world):
    ada, bob = await world.users(2)
    text = "\U0001f375 Tea & <b>milk</b>\n\ttea-time: TEA\n http://tea.example/x?tea=1"
    await world.send(ada, await world.direct(ada, bob), text)
    await index_all(world)
    (hit,) = (await search.page(world.db, bob, "milk tea"))["items"]
    assert hit["message"]["content"] == text

    def cut(start, end):
        return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")

    marked = [cut(*one) for one in hit["highlights"]]
    assert marked[:2] == ["Tea", "milk"] and all(one.lower().startswith(("tea", "milk")) for one in marked), marked


@pytest.mark.gen_test
async def test_only_chats_that_one_is_in_are_searched(world):
    ada, bob, eve = await world.users(3)
    ours, theirs = await world.group(ada, bob, eve), await world.direct(ada, bob)
    await world.send(ada, ours, "a secret for all")
    await world.send(bob, theirs, "a secret for one")
    assert await found(world, ada, "secret") == ["a secret for one", "a secret for all"]
    assert await found(world, eve, "secret") == ["a secret for all"]
    assert await found(world, ada, "secret", chat_id=ours) == ["a secret for all"]
    await world.remove(ada, ours, eve)
    assert await found(world, eve, "secret") == []
    for chat in (ours, theirs):
        with refused("not_found", "chatId"):
            await search.page(world.db, eve, "secret", chat_id=chat)
    await world.add(ada, ours, eve)
    assert await found(world, eve, "secret") == ["a secret for all"]


@pytest.mark.gen_test
async def test_edited_messages_are_found_as_they_are_and_deleted_ones_never(world):
    ada, bob = await world.users(2)
    chat = await world.direct(ada, bob)
    edited, deleted = await world.send(ada, chat, "walrus one"), await world.send(ada, chat, "walrus two")
    await world.edit(ada, edited, "penguin")
    await world.delete(ada, deleted)
    assert [await found(world, bob, text) for text in ("walrus", "penguin")] == [[], ["penguin"]]


@pytest.mark.gen_test
async def test_pages_lead_through_all_that_was_found_newest_first(world):
    ada, bob, eve = await world.users(3)
    first, second = await world.group(ada, bob), await world.group(ada, bob)
    said = []
    for count in range(8):
        said.append(await world.send(ada, (first, second)[count % 2], f"number {count}"))
        await asyncio.sleep(0.002)  # between messages of one millisecond in two chats there is no order
    await index_all(world)
    pages, before = [], None
    while True:
        page = await search.page(world.db, bob, "number", before=before, limit=3)
        pages.append([item["message"]["id"] for item in page["items"]])
        before = page["next"]
        if before is None:
            break
        if len(pages) == 1:
            await world.delete(ada, before)  # a cursor that has gone meanwhile still shows the place
    assert [len(page) for page in pages] == [3, 3, 2]
    assert sum(pages, []) == said[::-1]
    with refused("not_found", "before"):
        await search.page(world.db, eve, "number", before=said[0])


@pytest.mark.gen_test
async def test_what_takes_too_long_is_refused_in_words_and_sending_goes_on(world, opened, database):
    ada, bob = await world.users(2)
    chat = await world.direct(ada, bob)
    hasty = await opened(database, seconds=0.3)
    with closing(psycopg2.connect(database)) as gate, gate.cursor() as cursor:
        cursor.execute("lock table messages in access exclusive mode")
        begun = time.monotonic()
        with refused("search_too_broad"):
            await search.page(hasty, bob, "anything")
        assert time.monotonic() - begun < 5
    await world.send(ada, chat, "still here")
    assert await found(world, bob, "still") == ["still here"]


# The index of words


async def words(world, chat_id):
    """`(seq, words)` of each message of a chat that a search could find."""
    sql = "select seq, array_to_string(tsvector_to_array(words), ' ') as words from message_words where chat_id = %s order by seq"
    return [(row.seq, row.words) for row in await world.db.rows(sql, chat_id)]


@pytest.mark.gen_test
async def test_messages_are_indexed_in_pages_of_each_chat_and_again_without_harm(world):
    ada, bob = await world.users(2)
    first, second = await world.group(ada, bob), await world.group(ada, bob)
    for number in range(5):
        await world.send(ada, first, f"one {number}")
    await world.send(ada, second, "two")
    assert await search.page(world.db, bob, "one") == {"items": [], "next": None}
    positions = {first: 0, second: 0}
    seen = []
    while positions != (further := await search.index(world.db, positions, 2)):
        positions = further
        seen.append((positions[first], positions[second]))
    assert seen == [(3, 2), (5, 2), (6, 2)]
    assert positions == {first: await world.head(first), second: await world.head(second)}
    indexed = await words(world, first)
    assert indexed == [(seq, f"{seq - 2} one") for seq in range(2, 7)]
    await search.index(world.db, {first: 0, second: 0, key(): 0}, 100)
    assert await words(world, first) == indexed


@pytest.mark.gen_test
async def test_the_position_of_a_chat_goes_on_to_its_head_whatever_happened_last(world):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    assert await search.index(world.db, {chat: 0}, 1) == {chat: 1}
    message = await world.send(ada, chat, "first")
    await world.edit(ada, message, "better")
    await world.delete(ada, message)
    assert await search.index(world.db, {chat: 1}, 1) == {chat: 2}
    assert await search.index(world.db, {chat: 2}, 1) == {chat: 4}
    assert await words(world, chat) == []


@pytest.mark.gen_test
async def test_an_edit_and_a_deletion_change_the_words_in_their_own_transaction(world):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    edited, deleted = await world.send(ada, chat, "walrus"), await world.send(ada, chat, "penguin")
    await search.index(world.db, {chat: 0}, 10)
    await world.edit(ada, edited, "seal")
    await world.delete(ada, deleted)
    assert await words(world, chat) == [(2, "seal")]


@pytest.mark.parametrize("what", ["delete", "edit"])
@pytest.mark.gen_test
async def test_a_text_that_goes_while_it_is_indexed_is_not_found_afterwards(world, database, what):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    message = await world.send(ada, chat, "walrus")
    with closing(psycopg2.connect(database)) as indexing, indexing.cursor() as cursor:
        cursor.execute("select * from index_messages(array[%s]::uuid[], array[0]::bigint[], 10)", (chat,))
        change = asyncio.ensure_future(getattr(world, what)(ada, message))
        await until(lambda: world.db.rows("select from pg_locks where not granted"))
        indexing.commit()
    await change
    assert await words(world, chat) == ([(2, "edited")] if what == "edit" else [])


@pytest.mark.gen_test
async def test_a_message_that_is_being_deleted_is_not_indexed(world, database):
    ada, bob = await world.users(2)
    chat = await world.group(ada, bob)
    message = await world.send(ada, chat, "walrus")
    with closing(psycopg2.connect(database)) as deleting, deleting.cursor() as cursor:
        cursor.execute("select remove_message(%s, gen_random_uuid(), 1, %s, 50)", (ada, message))
        indexing = asyncio.ensure_future(search.index(world.db, {chat: 0}, 10))
        await until(lambda: world.db.rows("select from pg_locks where not granted"))
        deleting.commit()
    await indexing
    assert await words(world, chat) == []
