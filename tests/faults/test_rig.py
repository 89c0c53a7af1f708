"""A short selection of the rig: few clients, a few seconds of fault, and one mutant that the checker must see.

The times that the invariants grant are longer here than in `make faults`, because other tests run beside these.
"""

import pytest

from faults import catalog
from faults.evidence import Limits
from faults.releases import Upgrade
from faults.rig import Size
from faults.run import stage
from local.builds import HERE

SIZE = Size(
    clients=10,
    rate=60,
    warm=1,
    quiet=12.5,
    limits=Limits(answer=15, synced=12, sign_out=6, sign_out_without_redis=8, standstill=20),
)
SEED = 1
WITH_A_NEW_KIND = Upgrade(HERE, new_kinds=True)


@pytest.fixture(scope="module")
def small():
    with stage(SIZE, SEED) as made:
        yield made


@pytest.mark.parametrize(("name", "seconds"), [("instance-kill", 4), ("redis-kill", 4), ("db-reply-lost", 3)])
def test_nothing_is_lost(small, name, seconds):
    verdict = small.trial(catalog.load()[name], SEED, seconds)
    assert verdict.violations == []
    assert verdict.counts["acknowledged"] > 50


def test_a_mutant_without_the_seq_check_is_caught(small):
    verdict = small.trial(catalog.load()["redis-kick"], SEED, 8, "seq-check")
    assert any("seq is contiguous" in violation for violation in verdict.violations)


def test_an_upgrade_and_its_way_back_lose_nothing_while_events_of_a_new_kind_are_written(small):
    verdict = small.trial(catalog.load()["upgrade"], SEED, 4, upgrade=WITH_A_NEW_KIND, instances=2)
    assert verdict.violations == []
    assert verdict.counts["told with its object"] and verdict.counts["told by its seq alone"]


def test_a_mutant_that_refuses_events_of_unknown_kinds_is_caught(small):
    verdict = small.trial(catalog.load()["upgrade"], SEED, 4, "unknown-kinds", WITH_A_NEW_KIND, instances=2)
    assert any("synced at head" in violation for violation in verdict.violations)
