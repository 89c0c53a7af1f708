"""The fault of a new release: two builds of different age on one database and one Redis."""

import asyncio
import time
from asyncio import to_thread

from faults.catalog import fault
from faults.catalog.instances import end_in_good_order
from faults.mutants import NEW_KIND
from local.builds import HERE
from local.instance import migrate
from local.processes import Trouble


@fault("upgrade", 80, "resumes", "upgraded", "put back")
async def upgrade(rig, seconds):
    """Instances of the release before are replaced one by one by this build's and back again, under load, after one `migrate` under load."""
    pause, end = seconds / 12, time.monotonic() + seconds
    try:
        await to_thread(migrate, rig.cluster.direct_url)
    except Trouble as trouble:
        rig.problems.append(str(trouble))
        return
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
        if 2 * time.monotonic() - began > end:
            return  # there is no time to do it all again
