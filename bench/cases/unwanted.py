"""What an instance pays for events that none of its sockets wants."""

import time
import urllib.request
import uuid
from contextlib import contextmanager
from statistics import median

from bench import events, report
from bench.measure import Meter
from bench.stage import address
from bench.versus import Figure, compared

RUNS = 5
MESSAGES = 1500  # of a run
TOGETHER = 10
MARK = 5.0


def unwanted(stage):
    """Messages of other people's chats: three envelopes each."""
    with _other_chats(stage) as (others, envelopes, other):
        per_event, heard = _cost(stage, *others, envelopes)
        yield report.at_most(
            "unwanted",
            "CPU of the instance per event",
            per_event,
            MARK,
            f"{per_event:.2f} µs ({heard} heard)",
            f"≤ {MARK:g} µs",
        )
        scoped = [(f"{channel}.{other}", payload) for channel, payload in envelopes]
        per_event, heard = _cost(stage, *others, scoped, CHANNEL_SCOPE="chat")
        figure = f"{heard} heard of {RUNS * MESSAGES * len(envelopes) // TOGETHER} ({per_event:.2f} µs)"
        yield report.at_most("unwanted", "the same with CHANNEL_SCOPE=chat", heard, 0, figure, "none at all")


def between(sides):
    """Two builds, a new instance for each figure."""

    @contextmanager
    def set_up(side):
        with _other_chats(side) as (others, envelopes, _):
            yield lambda: {"event": _cost(side, *others, envelopes)[0]}

    figures = {"event": Figure("CPU of the instance per event", "µs")}
    yield from compared("unwanted", sides, figures, set_up, times=1, runs=5, warm_up=0)


@contextmanager
def _other_chats(side):
    """`(people, sockets, bus)`, the envelopes of messages in a chat where nobody is connected, and that chat."""
    with side.database() as people, side.sockets() as sockets, side.bus() as bus:
        people.add(4)
        people.chat([0, 1])
        other = people.chat([2, 3])
        batch = [
            side.events.Message(
                str(uuid.uuid4()), other, people.ids[2], events.CONTENT, "2026-01-01T00:00:00.000Z", 2, 2
            )
        ] * TOGETHER
        yield (people, sockets, bus), side.events.published(batch, people.epoch), other


def _cost(stage, people, sockets, bus, envelopes, **settings) -> tuple[float, int]:
    """Microseconds per envelope, the median of the runs, less what the instance spends in as much time while nothing happens; and how many of them it has heard."""
    with stage.instance(people, **settings) as instance:
        sockets("open", group="here", at=address(instance), dialect="parley", words=[people.token(0)])
        heard = _heard(instance)
        with Meter(server=instance.pid) as idle:
            time.sleep(2.5)
        runs = []
        for _ in range(RUNS):
            with Meter(server=instance.pid) as used:
                for _ in range(MESSAGES // TOGETHER):
                    bus.publish(envelopes)
                time.sleep(0.2)
                _wait_until_idle(instance)
            runs.append(max(0.0, used["server"] - idle["server"] / idle.seconds * used.seconds))
        sockets("close", group="here")
        return median(runs) / (MESSAGES // TOGETHER * len(envelopes)) * 1e6, _heard(instance) - heard


def _heard(instance) -> int:
    """Events of the channels that the instance has heard."""
    with urllib.request.urlopen(f"{instance.url}/metrics") as answer:
        lines = [line.split() for line in answer.read().decode().splitlines()]
    return sum(
        int(float(line[1]))
        for line in lines
        if line[0].startswith("parley_events_received_total") and "parley:" not in line[0]
    )


def _wait_until_idle(instance, seconds=10.0):
    """Until the instance has worked off what it was sent."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with Meter(server=instance.pid) as used:
            time.sleep(0.2)
        if used["server"] < 0.02:
            return
