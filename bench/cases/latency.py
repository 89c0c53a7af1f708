"""End to end: from the moment a message is sent to the moment each of 1,000 sockets has it, on two processes behind nginx."""

from contextlib import ExitStack
from statistics import median

from bench import report
from bench.fanout import missing
from bench.peers import servers
from bench.together import SOCKETS, Service, prepared

RATE = 50
SECONDS = 2.0
RUNS = 5
P50, P99 = 5.0, 25.0
PEERS = (servers.Ws, servers.SocketIo, servers.Graphql)
OVERRUN = 500.0  # milliseconds
SMALL = 20  # participants of a chat as most are
DRAIN = 15.0  # seconds in which what was sent must have arrived


def end_to_end(stage):
    """50 messages a second, in runs of two seconds; Parley's are stored and committed, and so are the peers'."""
    with ExitStack() as stack:
        people, chat = prepared(stack, stage)
        services, why = [stack.enter_context(Service(stage, people, chat))], {}
        for kind in PEERS:
            with missing(kind.name, why):
                services.append(stack.enter_context(Service(stage, people, chat, kind)))
        found = {service.name: [] for service in services}
        cpu = {}
        for service in services:
            service.connect()
            _run(service, 0.5)
        for number in range(RUNS):
            for service in services:
                if number and service.kind and (not found[service.name][-1]["whole"] or found[service.name][-1]["p50"] > OVERRUN):
                    continue  # it cannot keep up, and more runs would only take longer
                with service.meter() as used:
                    found[service.name].append(_run(service, SECONDS))
                cpu[service.name] = used
        mine = {name: median(run[name] for run in found["Parley"]) for name in ("p50", "p99")}
        yield report.at_most("latency", "sent → received, p50", mine["p50"], P50, f"{mine['p50']:.1f} ms", f"≤ {P50:g} ms")
        yield report.at_most("latency", "sent → received, p99", mine["p99"], P99, f"{mine['p99']:.1f} ms", f"≤ {P99:g} ms")
        for kind in PEERS:
            if kind.name not in found:
                yield report.not_run("latency", f"against {kind.name}", why[kind.name])
                continue
            for name in ("p50", "p99"):
                theirs = median(run[name] for run in found[kind.name])
                yield report.within("latency", f"{name} against {kind.name}", mine[name], theirs, 1.0, "ms", kind.name)
        yield report.shown("latency", "share of a processor, Parley's last run", _shares(cpu["Parley"]))
        found, used = _again(services[0], {})
        yield report.shown("latency", "the clients asking for all that a browser asks for, p50 and p99", f"{found['p50']:.1f} ms, {found['p99']:.1f} ms")
        yield report.shown("latency", "share of a processor, its last run", _shares(used))
        chats = people.chats([range(start, start + SMALL) for start in range(0, SOCKETS, SMALL)])
        found, used = _again(services[0], {}, [services[0].request(chat, number * SMALL) for number, chat in enumerate(chats)], SMALL)
        for name, mark in (("p50", P50), ("p99", P99)):
            yield report.at_most("latency", f"asking for all that, the 1,000 sockets in chats of {SMALL}, {name}", found[name], mark,
                                 f"{found[name]:.1f} ms", f"≤ {mark:g} ms")
        yield report.shown("latency", "share of a processor, its last run", _shares(used))


def _again(ours, hello, requests=None, audience=SOCKETS):
    """The medians of runs whose clients say this hello, and the CPU of the last one."""
    ours.connect(hello)
    _run(ours, 0.5, requests, audience)
    runs = []
    for _ in range(RUNS):
        with ours.meter() as used:
            runs.append(_run(ours, SECONDS, requests, audience))
    return {name: median(run[name] for run in runs) for name in ("p50", "p99")}, used


def _shares(used) -> str:
    return ", ".join(f"{name} {used[name] / used.seconds:.0%}" for name in ("server1", "server2", "nginx", "load"))


def _run(service, seconds, requests=None, audience=SOCKETS) -> dict:
    """Percentiles in milliseconds of one run; `whole` where everything arrived in time. Each message is for so many sockets."""
    before = service.sockets("state", group="all")["events"]
    service.sockets("time", group="all", on=True)
    answer = service.requests("pace", at=service.nginx.port, requests=requests or [service.request()], rate=RATE, seconds=seconds)
    lost = answer["refused"] + answer["unanswered"]
    if service.kind is None and lost:
        raise RuntimeError(f"an instance answered {answer['status']}: {answer['last']}")
    taken = answer["count"] - answer["refused"]
    reached = service.sockets("reach", group="all", events=before + taken * audience, seconds=DRAIN)
    return {**service.sockets("time", group="all", on=False), "whole": reached["ok"] and not lost}
