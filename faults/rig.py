"""One trial: a cluster, its clients under load, a fault, healing, quiet, and the evidence for the checker."""

import asyncio
import gc
import random
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from faults import checker, final, readings
from faults.clients import FIRST_RELEASE, THIS_BUILD, Client, Person
from faults.cluster import Cluster
from faults.evidence import Evidence, Limits, Window
from faults.invariants.repair import slowest_repair
from faults.load import Load
from faults.mutants import NEW_KIND
from faults.people import Scene
from faults.releases import Upgrade
from faults.wire import NoAnswer


class NotRun(Exception):
    """This machine cannot have this fault; the message says why."""


def speeches(upgrade: Upgrade | None) -> tuple[dict, dict]:
    """What two kinds of clients say in `hello`: with an upgrade those of the first release, and those of this one."""
    if upgrade is None:
        return {}, {}
    wanted = [*THIS_BUILD["channels"], *([NEW_KIND] if upgrade.new_kinds else [])]
    return FIRST_RELEASE, {**THIS_BUILD, "channels": wanted}


@dataclass
class Size:
    """How large a trial is."""

    clients: int = 60
    rate: float = 150.0
    warm: float = 3.0
    quiet: float = 15.0
    limits: Limits = field(default_factory=Limits)


@dataclass
class Verdict:
    """What came of a trial."""

    fault: str
    seed: int
    violations: list
    counts: Counter
    proves: tuple[str, ...]  # counters that have to be above zero
    slowest_repair: float
    memory: float  # most MiB of an instance
    seconds: float
    held_up: (
        float  # longest that the rig's own loop did not turn: beyond half a second, its times are not to be trusted
    )
    evidence: Evidence = field(repr=False, default=None)

    @property
    def toothless(self) -> list[str]:
        return [name for name in self.proves if not self.counts[name]]

    @property
    def passed(self) -> bool:
        return not self.violations and not self.toothless


class Rig:
    """What a fault may take hold of: the cluster, the clients, the load, and a seeded `rng`."""

    def __init__(self, cluster: Cluster, scene: Scene, size: Size, seed: int, upgrade: Upgrade | None = None):
        self.upgrade = upgrade
        self.cluster, self.scene, self.size, self.seed = cluster, scene, size, seed
        self.rng = random.Random(seed)
        self.counts = Counter()
        self.problems: list[str] = []  # of the fault itself: a part that did not come back, an exit that took too long
        self.windows: list[Window] = []
        self.lost = None
        self.held_up = 0.0  # longest the rig's own loop did not turn
        people = [Person(account.user, account.username, account.password, account.token) for account in scene.accounts]
        # The last sixth are second devices of the first people: one account, one session, two sockets.
        self.clients = [
            Client(f"client.{number}", people[number % len(people)], port, speeches(upgrade)[number % 2])
            for number, port in enumerate(cluster.client_ports)
        ]
        self.load = Load(self.clients, scene.chats, scene.crowd, size.rate, seed)

    @contextmanager
    def hurting(self, part: str, name: str = ""):
        """Note for the checker what is hurt, and for how long."""
        window = Window(part, name, time.monotonic(), float("inf"))
        self.windows.append(window)
        self.counts["injected"] += 1
        try:
            yield
        finally:
            window.end = time.monotonic()

    async def until(self, condition, seconds: float, what: str):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} within {seconds:g} s")
            await asyncio.sleep(0.05)

    async def trial(self, fault, seconds: float) -> Verdict:
        """Run the fault for so long, and judge."""
        began = time.monotonic()
        gc.disable()  # a full collection over a million records would stop all clients at once
        counters = readings.Readings(self.cluster)
        watch = asyncio.ensure_future(self._watch())
        evidence = Evidence(
            [client.history for client in self.clients],
            None,
            windows=self.windows,
            limits=self.size.limits,
            wall=time.time() - time.monotonic(),
            initial=final.participants(self.cluster.direct_url),
        )
        try:
            for client in self.clients:
                client.start()
                await asyncio.sleep(0.02)
            await self.until(lambda: all(client.ready for client in self.clients), 60, "all clients are ready")
            counters.start()
            evidence.began_at = time.monotonic()
            self.load.start()
            await asyncio.sleep(self.size.warm)
            await fault.inject(self, seconds)
            self.load.paused = True
            await asyncio.to_thread(self.cluster.heal)
            for client in self.clients:
                client.online()
            evidence.healed_at = time.monotonic()
            await self.load.stop()
            await self._quiet(evidence.healed_at)
            await counters.stop()
            try:
                evidence.snapshots = await final.snapshots(self.clients)
            except NoAnswer as error:
                self.problems.append(str(error))
            evidence.final = final.read(self.cluster.direct_url)
            evidence.memory, evidence.lost = counters.memory, self.lost
        finally:
            watch.cancel()
            for client in self.clients:
                await client.stop()
            gc.enable()
        return self._judge(fault, evidence, counters, time.monotonic() - began)

    async def _quiet(self, since: float):
        """Let so much time pass after healing, and after the last sign-in: whoever signs in late has as long to be synced."""
        people = {client.person for client in self.clients}
        with suppress(TimeoutError):  # the checker names who could not sign in
            await self.until(
                lambda: not any(person.changing for person in people), self.size.quiet, "everybody is signed in"
            )
        since = max(since, *(person.signed_in_at for person in people))
        await asyncio.sleep(max(0.0, since + self.size.quiet - time.monotonic()))

    def _judge(self, fault, evidence, counters, seconds):
        counts = self.counts + readings.of_clients(evidence) + counters.counts
        counts["swallowed"] = sum(link.get("swallowed", 0) for link in self.cluster.links.counts().values())
        violations = [str(violation) for violation in checker.check(evidence)] + self.problems
        new_kinds = self.upgrade is not None and self.upgrade.new_kinds
        return Verdict(
            fault.name,
            self.seed,
            violations,
            counts,
            (*fault.proves, *(readings.OF_A_NEW_KIND if new_kinds else ())),
            slowest_repair(evidence),
            max(evidence.memory.values()),
            seconds,
            self.held_up,
            evidence,
        )

    async def _watch(self):
        while True:
            due = time.monotonic() + 0.1
            await asyncio.sleep(0.1)
            self.held_up = max(self.held_up, time.monotonic() - due)


def keep(verdict: Verdict, directory: Path):
    """Write the logs of all clients for whoever looks into a violation."""
    directory.mkdir(parents=True, exist_ok=True)
    for history in verdict.evidence.histories:
        history.write(directory / f"{history.client}.jsonl")
