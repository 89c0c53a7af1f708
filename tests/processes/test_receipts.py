"""A receipt that nobody published: its instance died between the commit and Redis, or never saw the database's answer."""

import contextlib

import psycopg2
import pytest

from tests.client import until

SOON = 4  # two comparisons with the database


async def until_nothing_is_doubtful(running):
    """While Redis is down and at the look after it, watermarks are read anyway: wait for two ordinary looks."""
    await until(
        lambda: all(instance.get("/readyz")[1]["status"] == "ok" for instance in running.instances), 10, "ready"
    )
    for instance in running.instances:
        for _ in range(2):
            before = looked_at(instance)
            await until(
                lambda instance=instance, before=before: looked_at(instance) != before, SOON, "a look at the heads"
            )


def looked_at(instance) -> str:
    return instance.get("/healthz")[1]["delivery"]["heads"]["checkedAt"]


@pytest.mark.gen_test(timeout=60)
async def test_a_watermark_that_moved_in_silence_is_told_after_the_next_look(cluster, party):
    running = cluster(instances=2, nginx=False)
    (ann, ben), chat = await party.group(running.instances[0].url, 2)
    message = await ann.send(chat, "Read me")
    hers, his = await party.open(ann, running.instances[0].url), await party.open(ben, running.instances[1].url)
    await until_nothing_is_doubtful(running)
    with (
        contextlib.closing(psycopg2.connect(running.database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select moved from mark_read(%s, %s)", (ben.id, message["id"]))
        assert cursor.fetchone() == (True,)
    for stream in (hers, his):
        await until(lambda stream=stream: stream.watermarks.get((chat, ben.id)) == message["seq"], SOON, "the receipt")
    await until(lambda: his.unread[chat] == 0, SOON, "ben's count")
