"""Two instances against one on the same load, on a machine whose processors they share with everything else. No marks: only what it is."""

from contextlib import ExitStack
from statistics import median

from bench import report
from bench.events import CONTENT
from bench.measure import Meter
from bench.people import body
from bench.together import SOCKETS, TIMED, Service, prepared

RUNS = 5
EVENTS = 20
CONCURRENT = 16
COUNT = 400


def two(stage):
    """Behind nginx: messages to 1,000 sockets one at a time, and messages sent 16 at a time into chats of two."""
    with ExitStack() as stack:
        people, chat, _ = prepared(stack, stage)
        small = people.chats([(2 * number, 2 * number + 1) for number in range(CONCURRENT)], "direct")
        services = {number: stack.enter_context(Service(stage, people, chat, processes=number)) for number in (1, 2)}
        asked = [
            ["POST", f"/api/chats/{each}/messages", people.headers(2 * number), body(CONTENT)]
            for number, each in enumerate(small)
        ]
        sent = {number: [] for number in services}
        for run in range(RUNS + 1):
            for number, service in services.items():
                answer = service.requests(
                    "count", at=service.nginx.port, requests=asked, concurrent=CONCURRENT, count=COUNT
                )
                if run:
                    sent[number].append(answer["rate"])
        figure = ", ".join(f"{number}: {median(values):,.0f}/s" for number, values in sent.items())
        yield report.shown("two", "messages sent through nginx by 1 and by 2 instances", figure)
        took, cpu = {number: [] for number in services}, {number: [] for number in services}
        for service in services.values():
            service.connect()
        for run in range(RUNS + 1):
            for number, service in services.items():
                worst, used = _fan_out(service)
                if run:
                    took[number].append(worst)
                    cpu[number].append(used)
        figure = ", ".join(
            f"{number}: {median(took[number]):.1f} ms, {median(cpu[number]):.1f} µs of CPU each" for number in services
        )
        yield report.shown(
            "two",
            "a message to all of 1,000 sockets by 1 and by 2 instances, p99 and CPU of instances and nginx",
            figure,
        )


def _fan_out(service) -> tuple[float, float]:
    sockets, events = service.sockets, service.sockets("state", group="all")["events"]
    request = ["POST", f"/api/chats/{service.chat}/messages", service.people.headers(0), body(TIMED)]
    sockets("time", group="all", on=True)
    with Meter(
        nginx=service.nginx.pid, **{server.name.replace(".", ""): server.pid for server in service.servers}
    ) as used:
        for _ in range(EVENTS):
            service.requests("count", at=service.nginx.port, requests=[request], concurrent=1, count=1)
            events += SOCKETS
            sockets("reach", group="all", events=events)
    return sockets("time", group="all", on=False)["p99"], used.total / (EVENTS * SOCKETS) * 1e6
