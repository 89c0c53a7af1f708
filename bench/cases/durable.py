"""createMessage with 64 at a time and durable commits, over 64 chats and into one: against one commit for each message.

One commit a message is what pgbench reaches when 64 connections call the same function: no HTTP, no Python. Ours is therefore measured
without HTTP as well, as the handlers call it on an instance's pool of connections; over HTTP it is shown beside.
"""

import os
import re
import subprocess
from contextlib import ExitStack, contextmanager
from statistics import median

from bench import report
from bench.events import CONTENT
from bench.load.senders import PLANNING
from bench.people import body
from bench.versus import Figure, compared
from local import binaries

CONCURRENT = 64
RUNS = 5
SECONDS = 1.0
SINGLY = 40  # messages of each connection of pgbench in a run


def chats(stage):
    """64 chats of two."""
    yield from _case(stage, "chats", 2.0, "64 at a time over 64 chats", [(2 * n, 2 * n + 1) for n in range(CONCURRENT)])


def hot(stage):
    """One chat of 64."""
    yield from _case(stage, "hot", 5.0, "64 at a time into one chat", [range(CONCURRENT)])


def _case(stage, case, mark, what, groups):
    with ExitStack() as stack:
        people = stack.enter_context(stage.database())
        people.add(2 * CONCURRENT)
        plan = _plan(people, groups)
        senders_load = stack.enter_context(stage.senders())
        script = _script(stage, people, plan)
        ours, single = [], []
        for _ in range(RUNS):
            single.append(_pgbench(people, script))
            ours.append(
                senders_load("run", url=people.url, plan=plan, concurrent=CONCURRENT, seconds=SECONDS, content=CONTENT)[
                    "rate"
                ]
            )
        yield report.times(case, what, median(ours), median(single), mark, "messages/s", "one commit a message")
        instance = stack.enter_context(stage.instance(people))
        load = stack.enter_context(stage.requests())
        asked = [
            ["POST", f"/api/chats/{chat}/messages", people.headers(people.ids.index(user)), body(CONTENT)]
            for user, chat in plan
        ]
        rates = [
            load("run", at=instance.port, requests=asked, concurrent=CONCURRENT, seconds=SECONDS) for _ in range(3)
        ]
        figure = f"{median(rate['rate'] for rate in rates):,.0f} messages/s, p99 {median(rate['p99'] for rate in rates):.0f} ms"
        yield report.shown(case, f"{what}, over HTTP to one instance", figure)


def chats_between(sides):
    """Two builds into 64 chats of two, without HTTP."""
    groups = [(2 * n, 2 * n + 1) for n in range(CONCURRENT)]
    yield from _between("chats", sides, "64 at a time over 64 chats", groups)


def hot_between(sides):
    """Two builds into one chat of 64."""
    yield from _between("hot", sides, "64 at a time into one chat", [range(CONCURRENT)])


def _between(case, sides, what, groups):
    @contextmanager
    def set_up(side):
        with side.database() as people, side.senders() as load:
            people.add(2 * CONCURRENT)
            plan = _plan(people, groups)
            yield lambda: load(
                "run", url=people.url, plan=plan, concurrent=CONCURRENT, seconds=SECONDS, content=CONTENT
            )

    yield from compared(case, sides, {"rate": Figure(what, "messages/s", more=True)}, set_up)


def _plan(people, groups) -> list:
    """`[user, chat]` of each of the senders."""
    ids = people.chats(groups, "group" if len(groups) == 1 else "direct")
    places = [(number % len(groups), number // len(groups)) for number in range(CONCURRENT)]
    return [[people.ids[groups[group][place]], ids[group]] for group, place in places]


def _script(stage, people, plan):
    people.rows("create table plan (n integer primary key, actor uuid not null, chat uuid not null)")
    for number, (actor, chat) in enumerate(plan):
        people.rows("insert into plan values (%s, %s, %s)", number, actor, chat)
    people.rows("analyze plan")
    path = stage.directory / "send.sql"
    path.write_text(
        f"select sent.* from plan, {stage.send_message('actor', 'chat', CONTENT)} sent where n = :client_id;\n"
    )
    return path


def _pgbench(people, script) -> float:
    """Messages a second of 64 connections, each message its own commit."""
    program = binaries.find("postgres").parent / "pgbench"
    done = subprocess.run(
        [
            program,
            "-n",
            "-M",
            "prepared",
            "-c",
            str(CONCURRENT),
            "-j",
            "1",
            "-t",
            str(SINGLY),
            "-f",
            script,
            people.url,
        ],
        env={**os.environ, "PGOPTIONS": PLANNING},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(re.search(r"tps = ([\d.]+)", done.stdout).group(1))
