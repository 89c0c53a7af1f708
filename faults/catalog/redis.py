"""Faults of Redis: gone, silent, and throwing its subscribers out."""

import asyncio
import socket
import time
from asyncio import to_thread
from contextlib import suppress

from faults.catalog import fault


@fault("redis-kill", 15, "pulled_events", "publish_failures", "redis_reconnects")
async def redis_kill(rig, seconds):
    """Valkey SIGKILL and an empty restart, again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with rig.hurting("redis"):
            await to_thread(rig.cluster.valkey.kill)
            await asyncio.sleep(rig.rng.uniform(0.1, 5))
            await to_thread(rig.cluster.valkey.start)
        await asyncio.sleep(rig.rng.uniform(1, 3))


@fault("redis-freeze", 20, "pulled_events", "redis_reconnects")
async def redis_freeze(rig, seconds):
    """Valkey SIGSTOP for half of the time; for the other half it is black-holed from one instance only."""
    with rig.hurting("redis"):
        rig.cluster.valkey.freeze()
        await asyncio.sleep(seconds / 2)
        rig.cluster.valkey.thaw()
    await asyncio.sleep(1)
    with rig.hurting("redis"):
        link = f"redis.{rig.rng.choice(rig.cluster.names)}"
        rig.cluster.links.set([link], "hole")
        await asyncio.sleep(seconds / 2)
        rig.cluster.links.set([link], "pass")


@fault("redis-kick", 10, "pulled_events", "redis_reconnects")
async def redis_kick(rig, seconds):
    """`CLIENT KILL TYPE pubsub` twice a second, and an output buffer too small for a large chat's events."""
    end = time.monotonic() + seconds
    with rig.hurting("redis"):
        _command(rig, 'CONFIG SET client-output-buffer-limit "pubsub 16kb 8kb 1"')
        while time.monotonic() < end:
            _command(rig, "CLIENT KILL TYPE pubsub")
            await asyncio.sleep(0.5)
        _command(rig, 'CONFIG SET client-output-buffer-limit "pubsub 32mb 8mb 60"')


def _command(rig, line):
    with suppress(OSError), socket.create_connection(("127.0.0.1", rig.cluster.valkey.port), timeout=2) as connection:
        connection.sendall(line.encode() + b"\r\n")
        answer = connection.recv(256)
        if answer.startswith(b"-"):
            rig.problems.append(f"Valkey refuses {line!r}: {answer.decode().strip()}")
