"""What an instance pays for events that none of its sockets wants."""

import time
import uuid

import settings
from bench import events, report
from bench.measure import Meter
from bench.stage import address

MESSAGES = 3000
TOGETHER = 10
MARK = 5.0
SCOPED = "CHANNEL_SCOPE"


def unwanted(stage):
    """Messages of other people's chats: three envelopes each."""
    with stage.database() as people, stage.sockets() as sockets, stage.bus() as bus:
        people.add(4)
        people.chat([0, 1])
        other = people.chat([2, 3])
        batch = [events.Message(str(uuid.uuid4()), other, people.ids[2], events.CONTENT, "2026-01-01T00:00:00.000Z", 2, 2)] * TOGETHER
        envelopes = events.published(batch, people.epoch)
        per_event = _cost(stage, people, sockets, bus, envelopes)
        yield report.at_most("unwanted", "CPU of the instance per event", per_event, MARK, f"{per_event:.2f} µs", f"≤ {MARK:g} µs")
        if SCOPED not in {row.name for row in settings.SETTINGS}:
            yield report.not_run("unwanted", f"the same with {SCOPED}=chat", "the server has no such setting")
            return
        scoped = [(f"{channel}.{other}", payload) for channel, payload in envelopes]
        per_event = _cost(stage, people, sockets, bus, scoped, CHANNEL_SCOPE="chat")
        yield report.at_most("unwanted", f"the same with {SCOPED}=chat", per_event, 0.1, f"{per_event:.2f} µs", "none")


def _cost(stage, people, sockets, bus, envelopes, **settings_) -> float:
    """Microseconds per envelope, less what the instance spends in as much time while nothing happens."""
    with stage.instance(people, **settings_) as instance:
        sockets("open", group="here", at=address(instance), dialect="parley", words=[people.token(0)])
        with Meter(server=instance.pid) as idle:
            time.sleep(2.5)
        with Meter(server=instance.pid) as used:
            for _ in range(MESSAGES // TOGETHER):
                bus.publish(envelopes)
            time.sleep(0.5)
            _wait_until_idle(instance)
        sockets("close", group="here")
        count = MESSAGES // TOGETHER * len(envelopes)
        return max(0.0, used["server"] - idle["server"] / idle.seconds * used.seconds) / count * 1e6


def _wait_until_idle(instance, seconds=10.0):
    """Until the instance has worked off what it was sent."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with Meter(server=instance.pid) as used:
            time.sleep(0.2)
        if used["server"] < 0.02:
            return
