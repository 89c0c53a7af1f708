"""The fault of a new release: two builds of different age on one database and one Redis."""

import asyncio
import time
from asyncio import to_thread

from faults.catalog import fault
from faults.catalog.instances import end_in_good_order
from faults.evidence import Evidence
from faults.mutants import NEW_KIND
from local.builds import HERE
from local.instance import migrate
from local.processes import Trouble


@fault("upgrade", 80, "resumes", "upgraded", "put back", "served while migrating")
async def upgrade(rig, seconds):
    """Instances of the release before are replaced one by one by this build's and back again, under load, after one `migrate` under load."""
    pause, started = seconds / 12, time.monotonic()
    try:
        await to_thread(migrate, rig.cluster.direct_url)
    except Trouble as trouble:
        rig.problems.append(str(trouble))
        return
    migrated = time.monotonic()
    while True:
        began = time.monotonic()
        for count, build, patch in (
            ("upgraded", HERE, NEW_KIND if rig.upgrade.new_kinds else None),
            ("put back", rig.upgrade.before, rig.cluster.mutant),
        ):
            for server in rig.rng.sample(rig.cluster.instances, len(rig.cluster.instances)):
                with rig.hurting("instance", server.name):
                    await end_in_good_order(rig, server)
                    server.build, server.patch = build, patch
                    await to_thread(server.start)
                rig.counts[count] += 1
                await asyncio.sleep(rig.rng.uniform(0.5, 1.5) * pause)
        if 2 * time.monotonic() - began > started + seconds:
            break  # there is no time to do it all again
    evidence = Evidence([client.history for client in rig.clients], None)
    rig.counts["served while migrating"], refused = served(evidence, started, migrated)
    rig.problems += refused


def served(evidence: Evidence, start: float, end: float) -> tuple[int, list[str]]:
    """How many attempts between the two times were answered, and a problem for the first that was not, or with a 5xx.

    `migrate` ran between the two, and nothing else was wrong. Sign-ins are left out: they wait for a core to hash the password, and a busy
    machine may keep them waiting with or without a `migrate`.
    """
    count, refused = 0, []
    for operation in evidence.operations:
        if operation.kind == "sign-in":
            continue
        for attempt in operation.attempts:
            if attempt.ended is None or attempt.sent > end or attempt.ended < start:
                continue
            if attempt.status is not None and attempt.status < 500:
                count += 1
            else:
                answer = "not answered" if attempt.status is None else f"answered with {attempt.status}"
                refused.append(
                    f"the upgrade: {operation} was {answer} at {attempt.ended:.2f} s, while `migrate` ran from {start:.2f} s to {end:.2f} s"
                )
    return count, refused[:1]
