"""Proof that a fault bit: what the instances counted (docs/operations.md), their memory, and what the clients met."""

import asyncio
import http.client
import re
from collections import Counter

import psutil

from faults.evidence import LOGGED, Evidence, takes_a_seq
from faults.history import Opened, Saw

_LINE = re.compile(r"^parley_(\w+)_total(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
SECONDS = 1.0
# Events in the log; frames of them, from an instance that knows the kind; and from one that does not, live or in a replay.
OF_A_NEW_KIND = ("events of a new kind", "told with its object", "told by its seq alone", "so in a replay")


class Readings:
    """The counters of all instances, summed over their lives: a new process begins at zero."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._last: dict[str, tuple] = {}  # instance → (pid, counters)
        self.counts = Counter()
        self.memory: dict[str, float] = {}
        self._task = None

    def start(self):
        self._task = asyncio.ensure_future(self._run())

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._read_all()

    async def _run(self):
        while True:
            await self._read_all()
            await asyncio.sleep(SECONDS)

    async def _read_all(self):
        await asyncio.gather(*(self._read(server) for server in self._cluster.instances))

    async def _read(self, server):
        pid = server.pid
        try:
            self.memory[server.name] = max(
                psutil.Process(pid).memory_info().rss / 2**20, self.memory.get(server.name, 0)
            )
            text = (await asyncio.to_thread(server.get, "/metrics", 1.0))[1].decode()
        except (OSError, http.client.HTTPException, ValueError, AttributeError, psutil.Error):
            return
        now = Counter()
        for name, value in _LINE.findall(text):
            now[name] += float(value)
        before = self._last.get(server.name)
        self.counts += now - before[1] if before and before[0] == pid else now
        self._last[server.name] = (pid, now)


def of_clients(evidence: Evidence) -> Counter:
    """What the clients met: operations, ambiguous ones, repeated ones, 503s, sockets opened, and with cursors; kinds that are new."""
    met = Counter()
    met["events of a new kind"] = sum(event.kind not in LOGGED for event in evidence.final.events)
    for operation in evidence.operations:
        met["operations"] += 1
        met["acknowledged"] += operation.success is not None
        met["ambiguous"] += operation.ambiguous
        met["repeated"] += len(operation.attempts) - 1
        met["unavailable"] += sum(attempt.status == 503 for attempt in operation.attempts)
        met["lost to the restore"] += evidence.was_lost(operation)
    for history in evidence.histories:
        opened = history.of(Opened)
        met["sockets"] += len(opened)
        met["reconnections"] += max(0, len(opened) - 1)
        met += _told_of_a_new_kind(history)
    return met


def _told_of_a_new_kind(history) -> Counter:
    met, synced = Counter(), False
    for record in history.records:
        if isinstance(record, Opened):
            synced = False
        elif isinstance(record, Saw):
            frame = record.frame
            synced |= frame["type"] == "synced"
            if takes_a_seq(frame) and frame["channel"] not in LOGGED:
                met["told with its object"] += frame["data"] is not None
                met["told by its seq alone"] += frame["data"] is None
                met["so in a replay"] += frame["data"] is None and not synced
    return met
