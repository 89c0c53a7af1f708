"""Faults of instances: killed, frozen, deployed."""

import asyncio
import time
from asyncio import to_thread

from faults.catalog import fault
from faults.wire import Connection

EXIT_SECONDS = 30
DEPLOYS = 20


@fault("instance-kill", 20, "resumes", "ambiguous")
async def instance_kill(rig, seconds):
    """SIGKILL of an instance every 3–8 s, with requests under way in it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(rig.rng.uniform(3, 8))
        server = rig.rng.choice(rig.cluster.instances)
        with rig.hurting("instance", server.name):
            for chat_id in rig.scene.chats[2:]:
                rig.load.begin(_send_past_nginx(rig, server, chat_id))
            await asyncio.sleep(rig.rng.uniform(0, 0.02))
            await to_thread(server.kill)
            await asyncio.sleep(rig.rng.uniform(0, 2))
            await to_thread(server.start)


@fault("tail-loss", 15, "pulled_events", "publish_failures", "resumes")
async def tail_loss(rig, seconds):
    """Redis is stopped, a message committed, the instance killed, and Redis comes back: a last event that nobody heard."""
    end = time.monotonic() + seconds
    while True:
        await _lose_tail(rig)
        if time.monotonic() > end:
            return  # with the load still paused: nothing comes after the lost one
        rig.load.paused = False
        await asyncio.sleep(rig.rng.uniform(2, 4))


async def _lose_tail(rig):
    rig.load.paused = True
    await asyncio.sleep(0.5)
    chat_id, server = rig.rng.choice(_apart(rig))
    with rig.hurting("redis"), rig.hurting("instance", server.name):
        await to_thread(rig.cluster.valkey.kill)
        await _send_past_nginx(rig, server, chat_id)
        await to_thread(server.kill)
        await to_thread(rig.cluster.valkey.start)
    await to_thread(server.start)


def _apart(rig):
    """Chats, each with an instance where nobody of the chat has a socket: who comes back from a killed one brings the others the news."""
    pairs = [(chat_id, server) for chat_id in rig.scene.chats[2:] for server in rig.cluster.instances]
    return [
        (chat_id, server)
        for chat_id, server in pairs
        if not any(chat_id in client.replica.chats and client.instance == server.name for client in rig.clients)
    ] or pairs


async def _send_past_nginx(rig, server, chat_id):
    """A message of somebody in the chat, handed to this instance; repeated through nginx where it has no answer."""
    client = rig.rng.choice([client for client in rig.clients if chat_id in client.replica.chats] or rig.clients)
    text = f"past nginx {rig.rng.getrandbits(64):016x}"
    through = Connection(str(server.socket_path))
    try:
        await client.perform(
            "send",
            "POST",
            f"/api/chats/{chat_id}/messages",
            {"content": text},
            through=through,
            chat=chat_id,
            text=text,
        )
    finally:
        through.close()


@fault("instance-freeze", 20, "ambiguous", "resumes")
async def instance_freeze(rig, seconds):
    """SIGSTOP of one instance for the whole time."""
    server = rig.rng.choice(rig.cluster.instances)
    with rig.hurting("instance", server.name):
        server.freeze()
        await asyncio.sleep(seconds)
        server.thaw()


@fault("deploy", 100, "resumes", "deploys")
async def deploy(rig, seconds):
    """Rolling: SIGTERM to each instance in turn, 20 times under load; each must exit in less than 30 s."""
    end = time.monotonic() + seconds
    for number in range(DEPLOYS):
        server = rig.cluster.instances[number % len(rig.cluster.instances)]
        with rig.hurting("instance", server.name):
            await end_in_good_order(rig, server)
            await to_thread(server.start)
        rig.counts["deploys"] += 1
        if time.monotonic() > end:
            return


async def end_in_good_order(rig, server):
    """SIGTERM, and a problem noted where the instance does not take it as it should."""
    began = time.monotonic()
    server.terminate()
    while server.alive and time.monotonic() < began + EXIT_SECONDS:
        await asyncio.sleep(0.02)
    took = time.monotonic() - began
    rig.counts["slowest exit, ms"] = max(rig.counts["slowest exit, ms"], round(took * 1000))
    if server.alive or server.exit_status != 0:
        rig.problems.append(
            f"{server.name} did not end in good order within {EXIT_SECONDS} s of SIGTERM: {server.explain()}"
        )
    await to_thread(server.kill)
