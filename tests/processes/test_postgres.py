"""PostgreSQL dies or hangs under a running Parley: sockets stay, requests are told to try again, and everything goes on after it."""

import asyncio

import psycopg2
import pytest

from tests.client import until

STATEMENT_SECONDS = 1
GIVES_UP = STATEMENT_SECONDS + 2.0  # with the default of 5 s: 7 s


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False, env={"DATABASE_SECONDS": str(STATEMENT_SECONDS)})


@pytest.fixture(autouse=True)
def whole_again(parley):
    yield
    parley.postgres.thaw()
    parley.postgres.start()
    parley.wait_until_well()


async def until_ready(parley):
    await until(lambda: all(instance.get("/readyz")[0] == 200 for instance in parley.instances), 8, "ready again")


async def check_unavailable(parley, user, chat):
    """Every kind of request is refused in time and in the error's shape; only /healthz goes on."""
    answers = await asyncio.gather(
        user.request("POST", f"/api/chats/{chat}/messages", {"content": "Anybody there?"}),
        user.request("GET", "/api/chats"),
        user.request("POST", "/api/sync", {}),
    )
    for answer in answers:
        assert (answer.status, answer.code) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.seconds < GIVES_UP
    for path, expected in (("/readyz", (503, "unavailable")), ("/healthz", (200, "degraded"))):
        for status, body in await asyncio.gather(
            *(asyncio.to_thread(instance.get, path) for instance in parley.instances)
        ):
            assert (status, body["status"]) == expected


async def check_alive(streams):
    """They are connected as they were, and answer."""
    for stream in streams:
        stream.write({"type": "ping"})
    for stream in streams:
        await stream.until(lambda stream=stream: stream.of_type("pong"), 2, "pong")
        assert len(stream.of_type("welcome")) == 1


@pytest.mark.gen_test
async def test_while_postgresql_is_dead_requests_get_503_and_sockets_stay(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    streams = [await party.open(user, at) for user in (ann, ben) for at in urls]
    await ann.send(chat, "before")
    parley.postgres.kill()
    await check_unavailable(parley, ann, chat)
    await check_alive(streams)
    await asyncio.to_thread(parley.postgres.start)
    await until_ready(parley)
    after = await ann.send(chat, "after")
    for stream in streams:
        await stream.until_at(chat, after["seq"], 3)
        assert stream.contents(chat) == ["before", "after"]
        assert len(stream.of_type("welcome")) == 1
    healthy = lambda: all(instance.get("/healthz")[1]["status"] == "ok" for instance in parley.instances)  # noqa: E731
    await until(healthy, 8, "what failed is behind what has succeeded since")


@pytest.mark.gen_test(timeout=60)
async def test_while_postgresql_hangs_requests_get_503_and_sockets_stay(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    streams = [await party.open(user, at) for user in (ann, ben) for at in urls]
    parley.postgres.freeze()
    # More than there are connections: nobody waits behind the others.
    answers = await asyncio.gather(
        *(ann.request("POST", f"/api/chats/{chat}/messages", {"content": "?"}) for _ in range(20))
    )
    assert {answer.code for answer in answers} == {"unavailable"}
    assert max(answer.seconds for answer in answers) < GIVES_UP
    await check_unavailable(parley, ann, chat)
    await check_alive(streams)
    parley.postgres.thaw()
    await until_ready(parley)
    after = await ann.send(chat, "after")
    for stream in streams:
        await stream.until_at(chat, after["seq"], 5)
        assert stream.contents(chat)[-1] == "after"
        assert stream.log[chat] == streams[0].log[chat]
    for instance in parley.instances:
        assert "Traceback" not in "\n".join(instance.log)


@pytest.mark.gen_test(timeout=60)
async def test_writers_who_try_again_lose_and_double_nothing_over_a_restart_of_postgresql(parley, urls, party):
    people, chat = await party.group(urls[0], 4)
    streams = [await party.open(user, at) for user, at in zip(people, 2 * urls, strict=True)]
    done = []

    async def write(user, number, at):
        for n in range(25):
            await user.insist("POST", f"/api/chats/{chat}/messages", {"content": f"{number}.{n}"}, at=at)
            done.append(n)

    writing = [
        asyncio.ensure_future(write(user, n, at)) for n, (user, at) in enumerate(zip(people, 2 * urls, strict=True))
    ]
    await until(lambda: len(done) > 20, 10)
    parley.postgres.kill()
    await asyncio.to_thread(parley.postgres.start)
    await asyncio.gather(*writing)
    for stream in streams:
        await stream.until_at(chat, 101, 5)
        assert stream.seqs(chat) == list(range(2, 102))
        assert stream.log[chat] == streams[0].log[chat]
        for number in range(4):
            assert [text for text in stream.contents(chat) if text.startswith(f"{number}.")] == [
                f"{number}.{n}" for n in range(25)
            ]


@pytest.mark.gen_test
async def test_who_wants_a_socket_while_postgresql_is_dead_gets_one_when_it_is_back(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    stream = await party.open(ben, urls[1])
    await ann.send(chat, "before")
    await stream.until_at(chat, 2)
    await stream.cut()
    await ann.send(chat, "meanwhile")
    parley.postgres.kill()
    stream.stay(urls[1])
    await asyncio.to_thread(parley.postgres.start)
    await stream.until_at(chat, 3, 5)
    assert stream.contents(chat) == ["before", "meanwhile"]


@pytest.mark.gen_test
async def test_connections_that_postgresql_ends_one_after_the_other_are_nobodys_internal_error(parley, urls, party):
    people, chat = await party.group(urls[0], 4)
    seen = set()
    over = asyncio.Event()

    async def ask(user, method, path, body=None):
        while not over.is_set():
            seen.add((await user.request(method, path, body)).status)

    asking = [asyncio.ensure_future(ask(user, "GET", f"/api/chats/{chat}")) for user in people]
    asking += [
        asyncio.ensure_future(ask(user, "POST", f"/api/chats/{chat}/messages", {"content": "?"})) for user in people
    ]
    connection = psycopg2.connect(parley.database)
    try:
        connection.autocommit = True
        for _ in range(100):
            with connection.cursor() as cursor:
                cursor.execute("""select pg_terminate_backend(pid) from pg_stat_activity
                                  where datname = current_database() and pid <> pg_backend_pid()""")
            await asyncio.sleep(0.02)
    finally:
        connection.close()
        over.set()
    await asyncio.gather(*asking)
    assert seen <= {200, 201, 503}
