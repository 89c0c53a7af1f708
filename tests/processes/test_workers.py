"""Work that is owed after a commit, where real instances commit, die, and stop: the search index is its first consumer."""

import asyncio
import contextlib
import time

import psycopg2
import pytest

from tests.processes.metrics import metrics

NEVER = "86400"


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False)


async def found(user, url, word) -> list:
    return [hit["message"]["content"] for hit in (await user.get(f"/api/search?q={word}", at=url))["items"]]


async def until_found(user, url, word, seconds):
    """Until a search at this instance finds something; answers after how long."""
    begun = time.monotonic()
    while not await found(user, url, word):
        assert time.monotonic() - begun < seconds, f"{word} was not found within {seconds:g} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


def indexed(parley, chat) -> int:
    """The seq up to which a chat's messages can be found."""
    with contextlib.closing(psycopg2.connect(parley.database)) as connection, connection.cursor() as cursor:
        cursor.execute("select position from consumer_positions where consumer = 'search' and chat_id = %s", (chat,))
        return (cursor.fetchone() or (0,))[0]


async def restart(instance, **env):
    """With other settings."""
    instance.settings |= env
    await asyncio.to_thread(instance.stop)
    await asyncio.to_thread(instance.start)


@pytest.mark.gen_test
async def test_a_message_is_found_at_every_instance_soon_after_it_was_sent_and_one_did_the_work(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    done = 'parley_consumer_done_total{consumer="search"}'
    before = [(await metrics(url)).get(done, 0) for url in urls]
    for number in range(20):
        await ann.send(chat, f"walrus{number}")
    for url in urls:
        await until_found(ben, url, "walrus19", 3)
    assert len(await found(ben, urls[1], "walrus")) == 20
    after = [(await metrics(url)).get(done, 0) for url in urls]
    assert after[0] - before[0] >= 20 and after[1] == before[1]


@pytest.mark.gen_test(timeout=60)
async def test_what_an_instance_committed_before_it_was_killed_is_found_by_another(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    await restart(parley.instances[0], WORK_DELAY_SECONDS=NEVER, WORK_SWEEP_SECONDS=NEVER)
    try:
        parley.instances[1].freeze()  # so that it cannot be before the kill
        await ann.send(chat, "penguin")
        parley.instances[0].kill()
        parley.instances[1].thaw()
        assert indexed(parley, chat) < 2
        await until_found(ben, urls[1], "penguin", 15)
    finally:
        parley.instances[1].thaw()
        await restart(parley.instances[0], WORK_DELAY_SECONDS="", WORK_SWEEP_SECONDS="")


@pytest.mark.gen_test(timeout=60)
async def test_an_instance_that_is_told_to_stop_does_the_work_first(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    await restart(parley.instances[0], WORK_DELAY_SECONDS=NEVER, WORK_SWEEP_SECONDS=NEVER)
    try:
        seq = (await ann.send(chat, "ostrich"))["seq"]
        await asyncio.to_thread(parley.instances[0].stop)
        assert indexed(parley, chat) == seq
        assert await found(ben, urls[1], "ostrich") == ["ostrich"]
    finally:
        await restart(parley.instances[0], WORK_DELAY_SECONDS="", WORK_SWEEP_SECONDS="")
