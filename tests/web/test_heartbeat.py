"""Who is pinged when, and who is dropped."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from tests.realtime.sockets import until
from web.heartbeat import Heartbeat


class Pinged(SimpleNamespace):
    __hash__ = object.__hash__

    def __init__(self, heartbeat, answers=True):
        super().__init__(heartbeat=heartbeat, replies=answers, pinged=[], dropped_at=None, beat=None, answered=False)

    def ping(self):
        self.pinged.append(time.monotonic())
        self.answered = self.replies

    def drop(self):
        self.dropped_at = time.monotonic()
        self.heartbeat.discard(self)


@pytest.mark.gen_test
async def test_who_answers_is_pinged_each_interval_and_who_does_not_is_dropped_after_one():
    heartbeat, began = Heartbeat(0.5), time.monotonic()
    lively, silent = Pinged(heartbeat), Pinged(heartbeat, answers=False)
    for each in (lively, silent):
        heartbeat.add(each)
    await until(lambda: silent.dropped_at and len(lively.pinged) >= 3)
    assert len(silent.pinged) == 1 and lively.dropped_at is None
    for earlier, later in zip((began, *lively.pinged), lively.pinged, strict=False):
        assert later - earlier > 0.4
    heartbeat.discard(lively)


@pytest.mark.gen_test
async def test_many_that_come_over_a_while_are_not_pinged_all_at_once():
    heartbeat = Heartbeat(0.5)
    many = [Pinged(heartbeat) for _ in range(10)]
    for each in many:
        heartbeat.add(each)
        await asyncio.sleep(0.02)
    await until(lambda: all(each.pinged for each in many))
    assert many[-1].pinged[0] - many[0].pinged[0] > 0.05
    for each in many:
        heartbeat.discard(each)


@pytest.mark.gen_test
async def test_without_an_interval_nobody_is_pinged_and_without_sockets_no_timer_runs():
    off = Heartbeat(0)
    off.add(one := Pinged(off))
    assert one.beat is None and off._timer is None
    heartbeat = Heartbeat(0.1)
    heartbeat.add(one := Pinged(heartbeat))
    heartbeat.discard(one)
    await until(lambda: heartbeat._timer is None)
    assert not one.pinged
