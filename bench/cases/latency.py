"""End to end: from the moment a message is sent to the moment each of its sockets has it, on two processes behind nginx with 1,000 sockets."""

import math
from contextlib import ExitStack, contextmanager
from statistics import median

from bench import report
from bench.fanout import missing
from bench.peers import servers
from bench.together import SMALL, SOCKETS, Service, prepared
from bench.versus import Figure, compared

RATE = 50
SECONDS = 2.0
RUNS = 5
P50, P99 = 5.0, 25.0
PEERS = (servers.Ws, servers.SocketIo, servers.Graphql)
OVERRUN = 500.0  # milliseconds
DRAIN = 15.0  # seconds in which what was sent must have arrived
BROWSER = {}  # a hello that asks for unread counts, receipts and notices as well


def end_to_end(stage):
    """50 messages a second, in runs of two seconds; Parley's are stored and committed, and so are the peers'."""
    with ExitStack() as stack:
        people, chat, small = prepared(stack, stage)
        services, why = [stack.enter_context(Service(stage, people, chat))], {}
        for kind in PEERS:
            with missing(kind.name, why):
                services.append(stack.enter_context(Service(stage, people, chat, kind)))
        for where, chats, size in (
            (f"in chats of {SMALL}", small, SMALL),
            (f"in one chat of {SOCKETS:,}", [chat], SOCKETS),
        ):
            yield from _compared(where, services, chats, size, why)
            mine, shares = _again(services[0], BROWSER, chats, size)
            yield report.shown(
                "latency",
                f"{where}, the clients asking for all that a browser asks for, p50 and p99",
                f"{mine['p50']:.1f} ms, {mine['p99']:.1f} ms ({shares})",
            )


def between(sides):
    """Two builds, the clients asking for the messages alone."""
    for where, size in ((f"in chats of {SMALL}", SMALL), (f"in one chat of {SOCKETS:,}", SOCKETS)):

        @contextmanager
        def set_up(side, size=size):
            with ExitStack() as stack:
                people, chat, small = prepared(stack, side)
                chats = small if size == SMALL else [chat]
                service = stack.enter_context(Service(side, people, chat))
                service.connect()
                yield lambda: _run(service, chats, size, SECONDS)

        figures = {name: Figure(f"{where}, sent → received, {name}", "ms") for name in ("p50", "p99")}
        yield from compared("latency", sides, figures, set_up)


def _compared(where, services, chats, size, why):
    """Parley's times, and how they stand to each peer's. The clients ask for the messages alone, which is all that the peers know."""
    found, shares, nginx = {service.name: [] for service in services}, {}, 0.0
    for service in services:
        service.connect(small=chats if size < SOCKETS else ())
        _run(service, chats, size, 0.5)
    for number in range(RUNS):
        for service in services:
            if (
                number
                and service.kind
                and (not found[service.name][-1]["whole"] or found[service.name][-1]["p50"] > OVERRUN)
            ):
                continue  # it cannot keep up, and more runs would only take longer
            with service.meter() as used:
                found[service.name].append(_run(service, chats, size, SECONDS))
            shares[service.name] = _shares(used)
            if not service.kind:
                nginx = used["nginx"] / (RATE * SECONDS * size) * 1e3
    mine = {name: median(run[name] for run in found["Parley"]) for name in ("p50", "p99")}
    for name, mark in (("p50", P50), ("p99", P99)):
        yield report.at_most(
            "latency", f"{where}, sent → received, {name}", mine[name], mark, f"{mine[name]:.1f} ms", f"≤ {mark:g} ms"
        )
    for kind in PEERS:
        if kind.name not in found:
            yield report.not_run("latency", f"{where}, against {kind.name}", why[kind.name])
            continue
        for name in ("p50", "p99"):
            theirs = median(run[name] for run in found[kind.name])
            yield report.within(
                "latency", f"{where}, {name} against {kind.name}", mine[name], theirs, 1.0, "ms", kind.name
            )
    if size == SOCKETS:
        # It hands them on one after another, and half of the sockets come before the one in the middle.
        yield report.shown(
            "latency",
            f"{where}, p50 if all but nginx took no time",
            f"{nginx * size / 2:.1f} ms ({nginx * 1e3:.1f} µs of nginx for each)",
        )
    yield report.shown("latency", f"{where}, share of a processor, Parley's last run", shares["Parley"])


def _again(ours, hello, chats, size):
    """The medians of runs whose clients say this hello, and the CPU of the last one."""
    ours.connect(hello)
    _run(ours, chats, size, 0.5)
    runs = []
    for _ in range(RUNS):
        with ours.meter() as used:
            runs.append(_run(ours, chats, size, SECONDS))
    return {name: median(run[name] for run in runs) for name in ("p50", "p99")}, _shares(used)


def _shares(used) -> str:
    return ", ".join(f"{name} {used[name] / used.seconds:.0%}" for name in ("server1", "server2", "nginx", "load"))


def _run(service, chats, size, seconds) -> dict:
    """Percentiles in milliseconds of one run into these chats in turn; `whole` where everything arrived in time."""
    before = service.sockets("state", group="all")["events"]
    service.sockets("time", group="all", on=True)
    requests = [service.request(chat, number * size) for number, chat in enumerate(chats)]
    answer = service.requests("pace", at=service.nginx.port, requests=requests, rate=RATE, seconds=seconds)
    lost = answer["refused"] + answer["unanswered"]
    if service.kind is None and lost:
        raise RuntimeError(f"an instance answered {answer['status']}: {answer['last']}")
    taken = answer["count"] - answer["refused"]
    reached = service.sockets("reach", group="all", events=before + taken * size, seconds=DRAIN)
    # Where nothing arrived, no time was short enough.
    return {
        "p50": math.inf,
        "p99": math.inf,
        **service.sockets("time", group="all", on=False),
        "whole": reached["ok"] and not lost,
    }
