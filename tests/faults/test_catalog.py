"""The catalog, the seeds and the mutants are as docs/reliability.md says."""

import random
import re
from pathlib import Path

import pytest

from faults import catalog, load
from faults.checker import INVARIANTS
from faults.mutants import MUTANTS

NAMES = [
    "instance-kill",
    "tail-loss",
    "instance-freeze",
    "deploy",
    "upgrade",
    "redis-kill",
    "redis-freeze",
    "redis-kick",
    "db-restart",
    "db-freeze",
    "db-reply-lost",
    "db-connections",
    "disk-full",
    "restore",
    "client-links",
    "nginx",
    "clock",
]
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_seventeen_faults_have_their_names_and_something_to_prove():
    faults = catalog.load()
    assert list(faults) == NAMES
    assert all(fault.proves and fault.what and 0 < fault.seconds <= 100 for fault in faults.values())


@pytest.mark.parametrize("name", [*NAMES, *MUTANTS])
def test_the_page_tells_of_each_fault_and_mutant(name):
    assert f"`{name}`" in PAGE.read_text()


def test_the_twelve_invariants_are_numbered_as_on_the_page():
    numbers = [int(re.match(r"(\d+)\. ", invariant.__doc__).group(1)) for invariant in INVARIANTS]
    assert numbers == list(range(1, 13))


@pytest.mark.parametrize("fault", [fault for _, fault in MUTANTS.values()])
def test_each_mutant_runs_under_a_fault_of_the_catalog(fault):
    assert fault in catalog.load()


def test_the_same_seed_makes_the_same_chats():
    first, second = (load.groups(50, random.Random(7)) for _ in range(2))
    assert first == second
    assert len(first) == 12
    assert first != load.groups(50, random.Random(8))


def test_the_kinds_of_operations_are_hundred_of_a_hundred():
    assert sum(load.KINDS.values()) == 100
