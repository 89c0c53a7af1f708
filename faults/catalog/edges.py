"""Faults on the way to the instances, and of their clocks."""

import asyncio
import os
import signal
import time
from asyncio import to_thread
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path

from faults.catalog import fault
from faults.wire import Connection, NoAnswer

SLOW = 1024  # bytes a second
FAKETIME = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)


@fault("client-links", 20, "resumes", "ambiguous", "half-open")
async def client_links(rig, seconds):
    """A third of the clients at a time is cut, black-holed, slowed to 1 KB/s or half-open."""
    links = rig.cluster.links
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        chosen = rig.rng.sample(rig.clients, max(4, len(rig.clients) // 3))
        names = [client.name for client in chosen]
        quarter = max(1, len(names) // 4)
        with ExitStack() as hurt:
            for name in names:
                hurt.enter_context(rig.hurting("client", name))
            links.set(names[:quarter], "cut")
            links.set(names[quarter : 2 * quarter], "hole")
            links.set(names[2 * quarter : 3 * quarter], "slow", SLOW)
            links.half_open(names[3 * quarter :], rig.rng.choice(["client", "server"]))
            rig.counts["half-open"] += len(names[3 * quarter :])
            await asyncio.sleep(rig.rng.uniform(3, 9))
            links.set(names, "pass")
        await asyncio.sleep(rig.rng.uniform(0.5, 2))


@fault("nginx", 15, "reconnections", "resumes")
async def nginx(rig, seconds):
    """nginx is reloaded, and killed and started again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(rig.rng.uniform(1, 3))
        os.kill(rig.cluster.nginx.pid, signal.SIGHUP)
        rig.counts["injected"] += 1
        await asyncio.sleep(rig.rng.uniform(1, 3))
        with rig.hurting("nginx"), rig.hurting("all"):
            await to_thread(rig.cluster.nginx.kill)
            await asyncio.sleep(rig.rng.uniform(0, 2))
            await to_thread(rig.cluster.nginx.start)


@fault("clock", 12, "clock an hour off")
async def clock(rig, seconds):
    """One instance's clock jumps an hour ahead, then back to an hour behind, while it runs."""
    from faults.rig import NotRun

    library = next((str(path) for pattern in FAKETIME for path in Path("/").glob(pattern[1:])), None)
    if library is None:
        raise NotRun("libfaketime is not installed (Debian and Ubuntu: apt-get install faketime)")
    server = rig.rng.choice(rig.cluster.instances)
    offset = rig.cluster.directory / "clock"
    offset.write_text("+0\n")
    with rig.hurting("instance", server.name):
        await to_thread(server.kill)
        server.settings |= {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        await to_thread(server.start)
    for hours in (+1, -1):
        offset.write_text(f"{hours:+}h\n")
        await asyncio.sleep(seconds / 2)
        rig.counts["clock an hour off"] += await _hours_off(server) == hours


async def _hours_off(server) -> int | None:
    try:
        _, headers, _ = await Connection(str(server.socket_path)).request("GET", "/healthz", {}, None, 5)
        return round((parsedate_to_datetime(headers["date"]).timestamp() - time.time()) / 3600)
    except NoAnswer:
        return None
