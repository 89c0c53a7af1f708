"""Instances stop and start under load: everybody is sent elsewhere in time, and nothing that was acknowledged is lost."""

import asyncio
import time

import psycopg2
import pytest

from tests.client import NO_ANSWER, request, until

LONGEST = 25.0  # seconds from SIGTERM to the end of the process; with the platform's 30 to spare


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, env={"LOCK_SECONDS": "10"})


@pytest.fixture(autouse=True)
def whole_again(parley):
    yield
    for instance in parley.instances:
        instance.start()


async def until_ended(instance, seconds=LONGEST):
    await until(lambda: not instance.alive, seconds, f"{instance.name} ends")


@pytest.mark.gen_test(timeout=90)
async def test_a_rolling_restart_under_load_loses_and_doubles_nothing_and_refuses_nobody(parley, party):
    people, chat = await party.group(parley.url, 4)
    streams = [user.stream() for user in people for _ in range(2)]
    party.track(*streams)
    for stream in streams:
        stream.stay(parley.url)
    for stream in streams:
        await stream.until_synced()
    start = [stream.cursors[chat] for stream in streams]
    stopping = asyncio.Event()
    acknowledged = []

    async def write(user):
        while not stopping.is_set():
            content, begun = f"{user.name} {len(acknowledged)}", time.monotonic()
            answer = await user.insist("POST", f"/api/chats/{chat}/messages", {"content": content})
            assert time.monotonic() - begun < 3, "an instance that stops is in nobody's way"
            acknowledged.append((answer.seq, answer.body["id"], content))

    writing = [asyncio.ensure_future(write(user)) for user in people]
    for instance in parley.instances:
        await until(lambda n=len(acknowledged) + 20: len(acknowledged) >= n, 10)
        there = [stream for stream in streams if stream.instance == instance.name]
        told = {stream: len(stream.of_type("draining")) for stream in there}
        begun = time.monotonic()
        instance.terminate()
        await until_ended(instance)
        assert instance.exit_status == 0
        assert time.monotonic() - begun < LONGEST
        for stream in there:
            elsewhere = lambda s=stream, name=instance.name: s.synced and s.instance != name  # noqa: E731
            await stream.until(elsewhere, 5, "synced elsewhere")
            assert len(stream.of_type("draining")) == told[stream] + 1
        await asyncio.to_thread(instance.start)
    stopping.set()
    await asyncio.gather(*writing)

    head = await people[0].head(chat)
    expected = sorted(acknowledged)
    for stream, position in zip(streams, start, strict=True):
        await stream.until_at(chat, head)
        assert stream.seqs(chat) == list(range(position + 1, head + 1))
        assert [(seq, data["id"], data["content"]) for seq, _, data in stream.log[chat]] == expected


@pytest.mark.gen_test
async def test_sockets_are_told_and_closed_with_1012_and_new_ones_are_not_taken(parley, party):
    instance = parley.instances[0]
    (ann, ben), chat = await party.group(parley.url, 2)
    streams = [await party.open(user, instance.url) for user in (ann, ben) for _ in range(5)]
    instance.terminate()
    for stream in streams:
        await stream.until_closed(1012)
        assert len(stream.of_type("draining")) == 1
    with pytest.raises(NO_ANSWER):
        await ann.stream().open(instance.url)
    await until_ended(instance)
    assert instance.exit_status == 0
    message = await ann.send(chat)
    for stream in streams:
        await stream.open(parley.instances[1].url)
        await stream.until_at(chat, message["seq"])


@pytest.mark.gen_test
async def test_a_request_under_way_is_answered_before_the_process_ends(parley, party):
    """A message that waits for a lock when SIGTERM comes, and one that comes by a connection from before."""
    instance = parley.instances[0]
    (ann, ben), chat = await party.group(parley.url, 2)
    with psycopg2.connect(parley.database) as holding, holding.cursor() as cursor:
        cursor.execute("select from chats where id = %s for update", [chat])
        asked = asyncio.ensure_future(
            ann.request("POST", f"/api/chats/{chat}/messages", {"content": "Wait"}, at=instance.url)
        )
        with psycopg2.connect(parley.database) as looking:
            await until(lambda: _waiting(looking) == 1, 5, "the message waits")
        instance.terminate()
        await until(lambda: _refuses(instance), 3, "no new connections")
        assert instance.alive
        holding.rollback()
    answer = await asked
    assert answer.status == 201
    await until_ended(instance)
    assert instance.exit_status == 0
    assert await ann.head(chat) == answer.seq


def _waiting(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        found = cursor.fetchone()[0]
    connection.rollback()
    return found


async def _refuses(instance):
    try:
        return (await request(instance.url, "GET", "/readyz")).status == 503
    except NO_ANSWER:
        return True


@pytest.mark.gen_test
async def test_through_nginx_a_dead_instance_is_passed_over(parley, party):
    """Killed, not stopped: reads do not notice, writes at most once."""
    (ann, ben), chat = await party.group(parley.url, 2)
    parley.instances[0].kill()
    for _ in range(20):
        assert (await ann.request("GET", f"/api/chats/{chat}")).status == 200
        await ann.insist("POST", f"/api/chats/{chat}/messages", {"content": "Still here"})
    assert await ann.head(chat) == 21


@pytest.mark.gen_test
async def test_without_any_instance_nginx_says_so_in_our_words_and_clients_come_back(parley, party):
    (ann, ben), chat = await party.group(parley.url, 2)
    stream = ben.stream()
    party.track(stream)
    stream.stay(parley.url)
    await stream.until_synced()
    for instance in parley.instances:
        instance.kill()
    answer = await ann.request("GET", "/api/me")
    assert (answer.status, answer.code) == (503, "unavailable")
    writing = asyncio.ensure_future(
        ann.insist("POST", f"/api/chats/{chat}/messages", {"content": "Whenever you are back"})
    )
    for instance in parley.instances:
        await asyncio.to_thread(instance.start)
    await stream.until_at(chat, (await writing).seq)
    assert stream.contents(chat) == ["Whenever you are back"]
