"""createMessage over HTTP in chats of two, 16 at a time: against a bare Tornado handler and against the document's stack."""

import time
from contextlib import ExitStack
from statistics import median

from bench import report
from bench.events import CONTENT
from bench.fanout import missing
from bench.measure import Meter
from bench.peers import servers
from bench.people import body
from bench.stage import running
from local.processes import free_port

CONCURRENT = 16
RUNS = 5
COUNT = 600  # messages of a run


class Sender:
    """A server that messages are sent to."""

    def __init__(self, name, server, postgres, load, requests):
        self.name, self.server = name, server
        self.used, self.database_used, self.rates = [], [], []
        self._postgres = postgres
        self._load, self._requests = load, requests

    def run(self, count=COUNT):
        with Meter(server=self.server.pid, postgres=self._postgres.pid) as used:
            answer = self._load(
                "count", at=self.server.port, requests=self._requests, concurrent=CONCURRENT, count=count
            )
        if answer["refused"] or '"errors"' in answer["last"]:
            raise RuntimeError(f"{self.name} answered {answer['status']}: {answer['last']}")
        self.used.append(used["server"] / answer["count"] * 1e6)
        self.database_used.append(used["postgres"] / answer["count"] * 1e6)
        self.rates.append(answer["rate"])


def small(stage):
    with ExitStack() as stack:
        people = stack.enter_context(stage.database())
        load = stack.enter_context(stage.requests())
        people.add(2 * CONCURRENT)
        groups = [(2 * number, 2 * number + 1) for number in range(CONCURRENT)]
        chats = people.chats(groups, "direct")
        servers.tables(people, chats, groups)
        asked = [
            ["POST", f"/api/chats/{chat}/messages", people.headers(2 * number), body(CONTENT)]
            for number, chat in enumerate(chats)
        ]
        trips = _statements(stage, people, load, asked)
        instance = stack.enter_context(stage.instance(people))
        ours = Sender("Parley", instance, stage.postgres, load, asked)
        bare = stack.enter_context(running(servers.Bare(stage, port=free_port())))
        contenders, why = [ours, Sender("bare Tornado", bare, stage.postgres, load, asked)], {}
        with missing("graphql-ws", why):
            kind = servers.Graphql(stage, database=people.url, port=free_port())
            stack.enter_context(running(kind))
            contenders.append(
                Sender(
                    "the document's stack",
                    kind,
                    stage.postgres,
                    load,
                    [kind.request(chat, people.ids[2 * number], CONTENT) for number, chat in enumerate(chats)],
                )
            )
        for contender in contenders:
            contender.run(COUNT)
            contender.used.clear(), contender.database_used.clear(), contender.rates.clear()
        for _ in range(RUNS):
            for contender in contenders:
                contender.run()
        mine, against = median(ours.used), {contender.name: median(contender.used) for contender in contenders}
        yield report.within(
            "send",
            "CPU of the instance per message, against bare Tornado",
            mine,
            against["bare Tornado"],
            2.0,
            "µs",
            "bare Tornado",
        )
        if "the document's stack" in against:
            yield report.within(
                "send",
                "CPU of the instance per message, against the document's stack",
                mine,
                against["the document's stack"],
                0.2,
                "µs",
                "the document's stack",
            )
            bare_alone = against["bare Tornado"] / against["the document's stack"]
            yield report.shown(
                "send",
                "what of that bare Tornado takes, without a database",
                f"{bare_alone:.2f} × the document's stack",
            )
        else:
            yield report.not_run(
                "send", "CPU of the instance per message against the document's stack", why["graphql-ws"]
            )
        yield report.at_most(
            "send",
            "statements per message",
            trips,
            1.1,
            f"{trips:.2f}, with what an instance asks at its start and every few seconds",
            "one database round trip",
        )
        for contender in contenders:
            figure = f"{median(contender.rates):,.0f} a second"
            if contender.server is not bare:
                figure += f", {median(contender.database_used):.0f} µs of CPU in PostgreSQL for each"
            yield report.shown("send", f"{contender.name}, messages", figure)


def _statements(stage, people, load, asked) -> float:
    """Statements that an instance of its own sends to the database for each message."""
    before = _commits(people)
    with stage.instance(people) as instance:
        Sender("Parley", instance, stage.postgres, load, asked).run()
    return (_commits(people) - before) / COUNT


def _commits(people) -> int:
    """Transactions that this database has committed. PostgreSQL's processes say so for certain when they end: nobody else may be connected."""
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    until = time.monotonic() + 10
    while people.one(others) and time.monotonic() < until:
        time.sleep(0.1)
    return people.one("select xact_commit from pg_stat_database where datname = current_database()")
