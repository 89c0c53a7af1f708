"""Who is online, over real instances: one is killed, Redis is killed and comes back, one is deployed."""

import asyncio

import pytest

from tests.client import until

PRESENCE = {
    "PRESENCE_BEAT_SECONDS": "3",
    "PRESENCE_GRACE_SECONDS": "10",
}  # long enough for who comes back on a busy machine


@pytest.fixture
def parley(cluster):
    return cluster(instances=2, nginx=False, env=PRESENCE)


async def sees(stream, *users, seconds=40):
    ids = {user.id for user in users}
    await stream.until(
        lambda: stream.online == ids, seconds, f"online: {[user.name for user in users]}, not {stream.online}"
    )


@pytest.mark.gen_test
async def test_a_killed_instance_takes_along_who_does_not_come_back(parley, urls, party):
    (ann, ben, cid), _ = await party.group(urls[0], 3)
    watching = await party.open(ann, urls[0], presence=True)
    comes_back, stays_away = await party.open(ben, urls[1]), await party.open(cid, urls[1])
    await sees(watching, ben, cid)
    changes = len(watching.of_type("presenceChanged"))
    parley.instances[1].kill()
    for stream in (comes_back, stays_away):
        await until(lambda stream=stream: not stream.connected, 20)
    await party.open(ben, urls[0])
    await sees(watching, ben)
    later = watching.of_type("presenceChanged")[changes:]
    assert [(frame["online"], frame["offline"]) for frame in later] == [([], [cid.id])], (
        "somebody who came back in time was never away"
    )


@pytest.mark.gen_test
async def test_a_deploy_is_not_told_to_anybody(parley, urls, party):
    (ann, ben), _ = await party.group(urls[0], 2)
    watching = await party.open(ann, urls[0], presence=True)
    moving = ben.stream()
    party.track(moving)
    moving.stay(*urls)
    await sees(watching, ben)
    for _ in range(2):
        await asyncio.to_thread(parley.instances[1].stop)
        await asyncio.to_thread(parley.instances[1].start)
    await moving.until(lambda: moving.synced, 40)
    assert watching.online == {ben.id} and not any(
        ben.id in frame["offline"] for frame in watching.of_type("presenceChanged")
    )


@pytest.mark.gen_test
async def test_while_redis_is_dead_nobody_is_said_to_be_online_and_messages_flow(parley, urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    hers, his = await party.open(ann, urls[0], presence=True), await party.open(ben, urls[1], presence=True)
    silent = await party.open(ben, urls[0])
    await sees(hers, ben)
    await sees(his, ann)
    parley.valkey.kill()
    for stream in (hers, his):
        await stream.until(lambda stream=stream: stream.online is None, 40, "nothing known")
    message = await ann.send(chat, "without Redis")
    await his.until_at(chat, message["seq"])
    parley.valkey.start()
    await sees(hers, ben)
    await sees(his, ann)
    assert not silent.of_type("presence") and not silent.of_type("presenceChanged"), "nobody is told who has not asked"
