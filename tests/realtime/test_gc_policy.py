"""What the garbage collector need not look at, and that nothing stays because of it."""

import asyncio
import gc
import weakref
from types import SimpleNamespace

import pytest

from realtime import gc_policy
from realtime.gc_policy import GcPolicy


@pytest.fixture
def hub():
    """A hub's counts; afterwards Python collects as it did."""
    thresholds = gc.get_threshold()
    yield SimpleNamespace(clients=set(), streams={}, ever_connected=0)
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.collect()


class Thing:
    pass


def cycle() -> Thing:
    """One that only a search would find."""
    thing = Thing()
    thing.itself = thing
    return thing


def searched() -> int:
    """How many objects a full search looks at."""
    return len(gc.get_objects())


def test_what_was_there_at_the_start_is_searched_no_more(hub):
    things = [Thing() for _ in range(1000)]
    assert searched() > 1000
    GcPolicy(hub).start()
    assert searched() < 500
    assert len(things) == 1000


def test_what_is_frozen_is_freed_by_its_reference_counts(hub):
    rounds = GcPolicy(hub)
    rounds.start()
    things = [Thing() for _ in range(1000)]
    rounds.freeze()
    frozen, last = gc.get_freeze_count(), weakref.ref(things[-1])
    del things
    assert last() is None and gc.get_freeze_count() <= frozen - 1000


def test_garbage_of_before_is_found_before_anything_is_frozen(hub):
    rounds = GcPolicy(hub)
    rounds.start()
    found = weakref.ref(cycle())
    rounds.freeze()
    assert found() is None


def test_garbage_that_was_frozen_alive_is_found_when_there_is_too_much_of_it(hub, monkeypatch):
    monkeypatch.setattr(gc_policy, "SPARE", 2000)
    rounds, lost, most = GcPolicy(hub), [], 0
    rounds.start()
    room = gc.get_freeze_count() + 3000 + 2000  # a search finds one round's objects alive
    for _ in range(3 * room // 3000):
        alive = [cycle() for _ in range(3000)]
        rounds.freeze()
        lost.append(weakref.ref(alive[0]))
        del alive
        lost = [one for one in lost if one() is not None]
        most = max(most, len(lost))
    assert most > 1, "nothing was ever frozen alive"
    assert most <= room // 3000 + 2


def test_sockets_and_chats_are_not_taken_for_garbage(hub, monkeypatch):
    rounds = GcPolicy(hub)
    rounds.start()
    searches = []
    monkeypatch.setattr(rounds, "_search", lambda: searches.append(1))
    things = [[Thing() for _ in range(30)] for _ in range(10_000)]
    hub.clients = {number: None for number in range(9000)}
    hub.streams = {number: None for number in range(3000)}
    rounds.freeze()
    assert not searches
    hub.clients = hub.streams = {}
    monkeypatch.setattr(rounds, "_kept", 0)
    rounds.freeze()
    assert searches and things


@pytest.mark.gen_test
async def test_sockets_are_frozen_some_hundred_at_a_time(hub, monkeypatch):
    monkeypatch.setattr(gc_policy, "SECONDS", 0.01)
    rounds, froze = GcPolicy(hub), []
    monkeypatch.setattr(
        rounds, "freeze", lambda: froze.append(hub.ever_connected) or setattr(rounds, "_seen", hub.ever_connected)
    )
    task = asyncio.ensure_future(rounds.run())
    for opened in (
        1,
        gc_policy.SOCKETS - 1,
        gc_policy.SOCKETS,
        gc_policy.SOCKETS + 1,
        2 * gc_policy.SOCKETS - 1,
        2 * gc_policy.SOCKETS,
    ):
        hub.ever_connected = opened
        await asyncio.sleep(0.05)
    task.cancel()
    assert froze == [gc_policy.SOCKETS, 2 * gc_policy.SOCKETS]
