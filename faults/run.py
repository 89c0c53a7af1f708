"""`make faults`: every fault once, or one; and the mutants, which must be caught.

    python -m faults.run [--fault NAME] [--seed N] [--seconds N] [--clients N] [--rate N] [--from COMMIT] [--keep DIRECTORY]

`--from` is the release that `upgrade` starts from, instead of the newest one before this. `--fault mutants` runs the six mutants,
`--fault NAME --mutant NAME` one of them. `--keep` writes the clients' logs of a trial with violations, as JSON lines.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path

from faults import catalog, cluster, releases
from faults.cluster import Cluster
from faults.disk import SmallDisk
from faults.mutants import MUTANTS
from faults.people import Scene, prepare
from faults.releases import Upgrade
from faults.rig import NotRun, Rig, Size, Verdict, keep
from local.builds import HERE, Build
from local.guard import guard
from local.instance import Instance, migrate
from local.processes import Trouble, free_port, raise_file_limit
from local.valkey import Valkey

DISK_MIB = 260
ON_THEIR_OWN = {"disk-full", "upgrade"}  # on a stage of their own
FIGURES = {
    "operations": "operations",
    "acknowledged": "acknowledged",
    "ambiguous": "ambiguous",
    "repeated": "repeated",
    "injected": "faults injected",
    "pulled_events": "events pulled",
    "reconnections": "reconnections",
    "resumes": "resumed",
}


class Stage:
    """PostgreSQL with the database prepared by a build, for any number of trials."""

    def __init__(self, directory: Path, size: Size, seed: int, build: Build = HERE):
        self.build = build
        self.directory, self.size, self.seed = directory, size, seed
        directory.chmod(0o711)
        self.postgres = cluster.postgres(directory / "postgres", directory / "pg")
        self.scene: Scene | None = None
        self._trials = 0

    def start(self):
        self.postgres.start()
        self.postgres.create_database(cluster.PREPARED)
        url = self.postgres.url(cluster.PREPARED)
        migrate(url, build=self.build)
        valkey = Valkey(self.directory / "valkey", port=free_port())
        instance = Instance("web.0", url, valkey.url, port=free_port(), env=cluster.SETTINGS, build=self.build)
        try:
            valkey.start()
            instance.start()
            people = max(2, self.size.clients * 5 // 6)
            self.scene = asyncio.run(prepare(instance.port, url, people, self.seed))
        finally:
            instance.kill()
            valkey.kill()

    def stop(self):
        self.postgres.kill()

    def trial(
        self,
        fault: catalog.Fault,
        seed: int,
        seconds: float | None = None,
        mutant: str | None = None,
        upgrade: Upgrade | None = None,
        instances: int = cluster.INSTANCES,
    ) -> Verdict:
        """One trial on a fresh copy of the database; `upgrade` is for the fault of that name. Raises `NotRun`."""
        self._trials += 1
        name = f"trial_{self._trials}"
        self.postgres.create_database(name, cluster.PREPARED)
        parts = Cluster(
            self.directory / name,
            self.postgres,
            name,
            instances=instances,
            clients=self.size.clients,
            mutant=mutant,
            build=self.build,
        )
        try:
            parts.start()
            return asyncio.run(Rig(parts, self.scene, self.size, seed, upgrade).trial(fault, seconds or fault.seconds))
        finally:
            parts.stop()
            self.postgres.thaw()
            self.postgres.start()
            self.postgres.drop_database(name)


@contextmanager
def stage(size: Size, seed: int, fault: str | None = None, build: Build = HERE):
    """A started `Stage` in a directory of its own; for `disk-full` on a small file system. Raises `NotRun`."""
    raise_file_limit()
    directory = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    disk = SmallDisk(directory, DISK_MIB) if fault == "disk-full" else None
    try:
        if disk and (why := disk.mount()):
            raise NotRun(why)
        made = Stage(directory, size, seed, build)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        if disk:
            disk.unmount()
        shutil.rmtree(directory, ignore_errors=True)


def run_one(
    name: str,
    seed: int,
    size: Size,
    seconds=None,
    mutant=None,
    kept: Path | None = None,
    on: Stage | None = None,
    start: str | None = None,
) -> Verdict | None:
    """Run and report one trial; None where this machine cannot have the fault. `start`: the commit that an upgrade starts from."""
    fault = catalog.load()[name]
    print(f"{name}: {fault.what}" + (f" With the mutant {mutant}." if mutant else ""), flush=True)
    try:
        if on is None or name in ON_THEIR_OWN:
            upgrade = _upgrade(start, mutant) if name == "upgrade" else None
            with stage(size, seed, name, upgrade.before if upgrade else HERE) as own:
                verdict = own.trial(fault, seed, seconds, mutant, upgrade)
        else:
            verdict = on.trial(fault, seed, seconds, mutant)
    except NotRun as why:
        print(f"  was not run: {why}", flush=True)
        return None
    report(verdict)
    if kept and verdict.violations:
        keep(verdict, kept / f"{name}-{seed}")
    verdict.evidence = None  # some hundred megabytes
    return verdict


def _upgrade(start, mutant) -> Upgrade:
    if mutant:  # the patch is this build's
        return Upgrade(HERE, new_kinds=True)
    try:
        upgrade = releases.upgrade(start)
    except Trouble as trouble:
        raise NotRun(str(trouble)) from None
    print(
        f"  from {upgrade.before.name}, {'with' if upgrade.new_kinds else 'without'} events of a new kind", flush=True
    )
    return upgrade


def report(verdict: Verdict):
    counts = verdict.counts
    print(f"  {_figures(counts)}; slowest repair {verdict.slowest_repair:.2f} s; {verdict.seconds:.0f} s in all")
    if proves := [f"{counts[name]:.0f} {name.replace('_', ' ')}" for name in verdict.proves]:
        print(f"  bit: {', '.join(proves)}")
    if verdict.held_up > 0.5:
        print(f"  the rig itself was held up for {verdict.held_up:.1f} s: this machine has too much to do for it")
    for name in verdict.toothless:
        print(f"  did not bite: no {name.replace('_', ' ')}")
    for violation in verdict.violations:
        print(f"  VIOLATION of {violation}")
    print(f"  {'passed' if verdict.passed else 'FAILED'} (seed {verdict.seed})", flush=True)


def _figures(counts) -> str:
    return ", ".join(f"{counts[name]:.0f} {words}" for name, words in FIGURES.items())


def sum_up(verdicts: list[Verdict]):
    """The figures of all trials together."""
    counts = sum((verdict.counts for verdict in verdicts), Counter())
    print(
        f"{len(verdicts)} faults: {_figures(counts)}; slowest repair {max(verdict.slowest_repair for verdict in verdicts):.2f} s; "
        f"most memory of an instance {max(verdict.memory for verdict in verdicts):.0f} MiB; "
        f"{sum(len(verdict.violations) for verdict in verdicts)} violations",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--fault", default="", help="one, some with commas between them, or mutants")
    parser.add_argument("--mutant", choices=MUTANTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument("--rate", type=float, default=150.0)
    parser.add_argument("--quiet", type=float, default=15.0)
    parser.add_argument("--from", dest="start", metavar="COMMIT", help="the release that upgrade starts from")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    known = catalog.load()
    given.faults = given.fault.split(",") if given.fault else list(known)
    if unknown := set(given.faults) - {*known, "mutants"}:
        parser.error(f"no such fault: {min(unknown)}. There are {', '.join(known)}, and mutants.")
    size = Size(given.clients, given.rate, quiet=given.quiet)
    began = time.monotonic()
    try:
        failed = run(given, size, known)
    except Trouble as trouble:
        print(f"make faults: {trouble}", file=sys.stderr)
        return 1
    finally:
        guard.close()
    print(
        f"{'FAILED: ' + ', '.join(failed) if failed else 'All passed'}, in {(time.monotonic() - began) / 60:.1f} minutes"
    )
    return bool(failed)


def run(given, size: Size, known) -> list[str]:
    """Names of what failed."""
    failed = []
    with nullcontext() if ON_THEIR_OWN.issuperset(given.faults) else stage(size, given.seed) as shared:
        if given.fault == "mutants":
            for mutant, (_, fault) in MUTANTS.items():
                verdict = run_one(fault, given.seed, size, given.seconds, mutant, given.keep, shared)
                if not verdict.violations:
                    print(f"  the checker does not see the mutant {mutant}")
                    failed.append(mutant)
        else:
            verdicts = [
                run_one(name, given.seed, size, given.seconds, given.mutant, given.keep, shared, given.start)
                for name in given.faults
            ]
            verdicts = [verdict for verdict in verdicts if verdict]
            failed = [verdict.fault for verdict in verdicts if not verdict.passed]
            if len(verdicts) > 1:
                sum_up(verdicts)
    return failed


if __name__ == "__main__":
    sys.exit(main())
