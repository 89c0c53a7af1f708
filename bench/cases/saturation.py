"""Saturation: the rate of deliveries at which p99 passes 100 ms, one server and 1,000 sockets over TCP."""

import time
from contextlib import contextmanager
from statistics import median

from bench import report
from bench.fanout import SOCKETS, Arena, missing
from bench.measure import Meter
from bench.peers import servers
from bench.versus import Figure, compared

PEERS = (servers.Ws, servers.SocketIo, servers.Graphql)
MOST_P99 = 100.0
FIRST, STEP, LAST = 8.0, 1.3, 600.0  # events a second
SECONDS = 0.8
RUNS = 5


def saturation(stage):
    """Events come over Redis at a rate that grows by 30 % until p99 passes the bound; then four times more from two steps below."""
    with Arena(stage) as arena:
        why, contenders = {}, [arena.ours()]
        for kind in PEERS:
            with missing(kind.name, why):
                contenders.append(arena.peer(kind))
        reached = {contender.name: [] for contender in contenders}
        for contender in contenders:
            contender.warm_up(1)
        busiest = 0.0
        for run in range(RUNS):
            for contender in contenders:
                start = max(FIRST, reached[contender.name][-1] / STEP**2) if run else FIRST
                rate, load = _ramp(arena, contender, start)
                reached[contender.name].append(rate)
                busiest = max(busiest, load)
        mine = median(reached["Parley"]) * SOCKETS
        for kind in PEERS:
            if kind.name in reached:
                yield report.times(
                    "saturation",
                    f"deliveries a second with p99 ≤ 100 ms, against {kind.name}",
                    mine,
                    median(reached[kind.name]) * SOCKETS,
                    1.0,
                    "/s",
                    kind.name,
                )
            else:
                yield report.not_run("saturation", f"deliveries a second, against {kind.name}", why[kind.name])
        yield report.shown("saturation", "the load's share of a processor, at most", f"{busiest:.0%}")


def between(sides):
    """Two builds, each from the lowest rate on."""

    @contextmanager
    def set_up(side):
        with Arena(side) as arena:
            ours = arena.ours(name=side.name)
            ours.warm_up(1)
            yield lambda: {"rate": _ramp(arena, ours, 100.0)[0] * SOCKETS}

    figures = {"rate": Figure("deliveries a second with p99 ≤ 100 ms", "/s", more=True)}
    yield from compared("saturation", sides, figures, set_up, times=2, runs=3, warm_up=0)


def _ramp(arena, contender, rate) -> tuple[float, float]:
    """The highest rate in events a second that stayed within the bound, and how busy the load was."""
    within, busiest = rate / STEP, 0.0
    while rate < LAST:
        with Meter(load=arena.sockets.pid) as used:
            p99 = _at(arena, contender, rate)
        busiest = max(busiest, used["load"] / used.seconds)
        if p99 > MOST_P99:
            return within, busiest
        within, rate = rate, rate * STEP
    return within, busiest


def _at(arena, contender, rate) -> float:
    """p99 in milliseconds of a short time at this rate."""
    arena.sockets("time", group=contender.name, on=True)
    began = time.monotonic()
    for number in range(int(rate * SECONDS)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        arena.content = f"@{time.monotonic_ns():019d}@ as long as this sentence."
        contender.send(1, wait=False)
    contender.wait()
    return arena.sockets("time", group=contender.name, on=False)["p99"]
