"""A resume storm: an instance dies, and its 5,000 clients come to another one at once, each with its cursor and events missed."""

import threading
import time
from pathlib import Path

from bench import report
from bench.measure import memory

CLIENTS = 5000
IN_A_CHAT = 10
MISSED = 3
MOST_SECONDS = 30.0
MOST_MEMORY = 400  # MB
POOL = 8  # DATABASE_POOL


def storm(stage):
    """All of them must be told what they missed."""
    with stage.database() as people, stage.sockets() as sockets:
        people.add(CLIENTS)
        chats = people.chats([range(first, first + IN_A_CHAT) for first in range(0, CLIENTS, IN_A_CHAT)])
        people.rows("analyze")
        with stage.instance(people, 1) as first, stage.instance(people, 2) as second:
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
            state = sockets("state", group="second")
            peak = (_peak(second.pid) - before) / 1e6
            whole = state["events"] == CLIENTS * MISSED
            yield report.at_most(
                "storm",
                "seconds until all 5,000 are synced",
                answer["seconds"] if whole else float("inf"),
                MOST_SECONDS,
                f"{answer['seconds']:.1f} s, {state['events']:,} of {CLIENTS * MISSED:,} missed events told, "
                f"{answer['tries'] - CLIENTS:,} connections tried again",
                f"all, within {MOST_SECONDS:g} s",
            )
            yield report.at_most(
                "storm",
                "memory of the instance, at its most",
                peak,
                MOST_MEMORY,
                f"{peak:.0f} MB",
                f"≤ {MOST_MEMORY} MB more",
            )
            yield report.at_most(
                "storm",
                "connections to the database, at most",
                watch.connections,
                POOL,
                f"{watch.connections}; somebody else's query took up to {watch.slowest * 1000:.0f} ms",
                f"≤ {POOL}",
            )


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
