"""A resume storm: an instance dies, and its 5,000 clients come to another one at once, each with its cursor and events missed."""

import threading
import time
from contextlib import contextmanager
from pathlib import Path

from bench import report
from bench.measure import memory
from bench.versus import Figure, compared

CLIENTS = 5000
IN_A_CHAT = 10
MISSED = 3
MOST_SECONDS = 30.0
MOST_MEMORY = 400  # MB
POOL = 8  # DATABASE_POOL


def storm(stage):
    """All of them must be told what they missed."""
    with _crowd(stage) as measure:
        found = measure()
    yield report.at_most(
        "storm",
        "seconds until all 5,000 are synced",
        found["seconds"] if found["whole"] else float("inf"),
        MOST_SECONDS,
        f"{found['seconds']:.1f} s, {found['events']:,} of {CLIENTS * MISSED:,} missed events told, "
        f"{found['tries'] - CLIENTS:,} connections tried again",
        f"all, within {MOST_SECONDS:g} s",
    )
    yield report.at_most(
        "storm",
        "memory of the instance, at its most",
        found["memory"],
        MOST_MEMORY,
        f"{found['memory']:.0f} MB",
        f"≤ {MOST_MEMORY} MB more",
    )
    yield report.at_most(
        "storm",
        "connections to the database, at most",
        found["connections"],
        POOL,
        f"{found['connections']}; somebody else's query took up to {found['slowest'] * 1000:.0f} ms",
        f"≤ {POOL}",
    )


def between(sides):
    """Two builds, each time with instances of their own."""
    figures = {
        "seconds": Figure("seconds until all 5,000 are synced", "s"),
        "memory": Figure("memory of the instance, at its most", "MB"),
    }
    yield from compared("storm", sides, figures, _crowd, times=3, runs=1, warm_up=0)


@contextmanager
def _crowd(side):
    """A function that lets the storm come, once, and answers how it went."""
    with side.database() as people, side.sockets() as sockets:
        people.add(CLIENTS)
        chats = people.chats([range(first, first + IN_A_CHAT) for first in range(0, CLIENTS, IN_A_CHAT)])
        people.rows("analyze")

        def measure():
            with side.instance(people, 1) as first, side.instance(people, 2) as second:
                sockets(
                    "open",
                    group="first",
                    at=first.port,
                    dialect="parley",
                    words=[people.token(number) for number in range(CLIENTS)],
                )
                first.kill()
                sockets("close", group="first")
                for number, chat in enumerate(chats):
                    people.write(chat, number * IN_A_CHAT, ["Missed"] * MISSED)
                words = [
                    [people.token(number), {"epoch": people.epoch, "cursors": {chats[number // IN_A_CHAT]: 1}}]
                    for number in range(CLIENTS)
                ]
                before = memory(second.pid)
                with Watch(people, "parley web.2") as watch:
                    answer = sockets(
                        "open",
                        group="second",
                        at=second.port,
                        dialect="parley",
                        words=words,
                        at_once=CLIENTS,
                        seconds=110,
                        patient=True,
                    )
                events = sockets("state", group="second")["events"]
                return {
                    "seconds": answer["seconds"],
                    "tries": answer["tries"],
                    "events": events,
                    "whole": events == CLIENTS * MISSED,
                    "memory": (_peak(second.pid) - before) / 1e6,
                    "connections": watch.connections,
                    "slowest": watch.slowest,
                }

        yield measure


class Watch:
    """How many connections an instance has to the database, and how long a stranger's query takes meanwhile."""

    def __init__(self, people, name):
        self._people, self._name = people, name
        self.connections, self.slowest = 0, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()

    def _look(self):
        while not self._done.wait(0.1):
            began = time.monotonic()
            count = self._people.one("select count(*) from pg_stat_activity where application_name = %s", self._name)
            self.connections, self.slowest = max(self.connections, count), max(self.slowest, time.monotonic() - began)


def _peak(pid) -> int:
    """Bytes of memory that a process has held at its most, what it shares included."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
