"""Faults of PostgreSQL: restarted, frozen, its replies lost, its connections or its disk used up, an old backup restored."""

import asyncio
import signal
import time
from asyncio import to_thread
from contextlib import suppress

import psycopg2

from faults.catalog import fault


@fault("db-restart", 15, "unavailable")
async def db_restart(rig, seconds):
    """PostgreSQL's immediate stop, as in a crash, and its restart, again and again."""
    end = time.monotonic() + seconds
    server = rig.cluster.postgres
    while time.monotonic() < end:
        await asyncio.sleep(rig.rng.uniform(2, 5))
        with rig.hurting("database"), rig.hurting("all"):
            ordinary, server.stop_signal = server.stop_signal, signal.SIGQUIT
            await to_thread(server.stop)
            server.stop_signal = ordinary
            await asyncio.sleep(rig.rng.uniform(0, 2))
            await to_thread(server.start)


@fault("db-freeze", 30, "ambiguous")
async def db_freeze(rig, seconds):
    """PostgreSQL frozen for half of the time, black-holed for the other half."""
    every = [f"database.{name}" for name in rig.cluster.names]
    with rig.hurting("database"), rig.hurting("all"):
        rig.cluster.postgres.freeze()
        await asyncio.sleep(seconds / 2)
        rig.cluster.postgres.thaw()
    await asyncio.sleep(3)
    with rig.hurting("database"), rig.hurting("all"):
        rig.cluster.links.set(every, "hole")
        await asyncio.sleep(seconds / 2)
        rig.cluster.links.set(every, "pass")


@fault("db-reply-lost", 12, "swallowed", "pulled_events")
async def db_reply_lost(rig, seconds):
    """PostgreSQL's reply is swallowed after the mutation was sent, and the connection then broken."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        names = rig.rng.sample(rig.cluster.names, rig.rng.randint(1, len(rig.cluster.names)))
        links = [f"database.{name}" for name in names]
        with rig.hurting("database"):
            rig.cluster.links.set(links, "deaf")
            await asyncio.sleep(rig.rng.uniform(0.1, 1))
            rig.cluster.links.set(links, "pass")
        await asyncio.sleep(rig.rng.uniform(0.3, 1))


@fault("db-connections", 10, "unavailable")
async def db_connections(rig, seconds):
    """PostgreSQL's connection limit is reached: the instances lose their connections and find no others."""
    taken = []
    end = time.monotonic() + seconds

    def take():
        with suppress(psycopg2.OperationalError):
            while True:
                taken.append(psycopg2.connect(rig.cluster.direct_url, connect_timeout=2))

    try:
        with rig.hurting("database"), rig.hurting("all"):
            while time.monotonic() < end:
                await to_thread(take)
                with taken[0].cursor() as cursor:
                    # Whoever is thrown out leaves a place, which is taken as well.
                    cursor.execute("""select pg_terminate_backend(pid) from pg_stat_activity
                                      where application_name like 'parley%' order by random() limit 3""")
                taken[0].commit()
                await asyncio.sleep(0.2)
    finally:
        for connection in taken:
            connection.close()


@fault("disk-full", 12, "unavailable")
async def disk_full(rig, seconds):
    """PostgreSQL on a small file system that fills up, and is given room again."""
    directory = rig.cluster.postgres.data.parent
    ballast = directory / "ballast"
    with rig.hurting("database"), rig.hurting("all"):
        await to_thread(_fill, ballast)
        await asyncio.sleep(seconds)
        ballast.unlink()


def _fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 2**20)
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


@fault("restore", 12, "lost to the restore", "resets")
async def restore(rig, seconds):
    """The database is restored from an old dump, with a new epoch."""
    await asyncio.sleep(seconds / 3)
    dumped = time.monotonic()
    path = await to_thread(rig.cluster.dump)
    await asyncio.sleep(seconds / 3)
    with rig.hurting("database"), rig.hurting("all"):
        rig.lost = (dumped, float("inf"))
        await to_thread(rig.cluster.restore, path)
        rig.lost = (dumped, time.monotonic())
        for server in rig.cluster.instances:
            await to_thread(server.wait_until_ready)
    await asyncio.sleep(seconds / 3)
