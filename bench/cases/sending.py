"""createMessage over HTTP in chats of two, 16 at a time: against a bare Tornado handler and against the document's stack."""

import time
from contextlib import ExitStack, contextmanager
from statistics import median

from bench import report
from bench.backends import Backends
from bench.events import CONTENT
from bench.fanout import missing
from bench.measure import Meter
from bench.peers import servers
from bench.people import body
from bench.stage import running
from bench.versus import Figure, compared
from local.processes import free_port

CONCURRENT = 16
RUNS = 5
COUNT = 600  # messages of a run


CPU_OF_POSTGRES = "CPU of PostgreSQL per message"  # of the backends and of what writes for them, see bench/backends.py
SETTLING = 5.0  # seconds in which what is owed after a message must be done


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


def between(sides):
    """Two builds: what a message costs the instance and PostgreSQL, which is measured until nothing is owed any more."""
    figures = {
        "server": Figure("CPU of the instance per message", "µs", 1.03),
        "postgres": Figure(CPU_OF_POSTGRES, "µs", 0.85),
        "with consumers": Figure(f"{CPU_OF_POSTGRES}, with what is owed after it", "µs", 1.05),
        "rate": Figure("messages a second, 16 at a time", "/s", more=True),
    }
    yield from compared("send", sides, figures, _measured)


@contextmanager
def _measured(side):
    """A function that sends once and answers what a message cost."""
    with side.database() as people, side.requests() as load:
        people.add(2 * CONCURRENT)
        chats = people.chats([(2 * number, 2 * number + 1) for number in range(CONCURRENT)], "direct")
        asked = [
            ["POST", f"/api/chats/{chat}/messages", people.headers(2 * number), body(CONTENT)]
            for number, chat in enumerate(chats)
        ]
        with side.instance(people) as instance:
            sender = Sender(side.name, instance, side.postgres, load, asked)

            def measure():
                with Backends(people) as until_settled:
                    with Backends(people) as until_answered:
                        sender.run()
                    _settle(people)
                return {
                    "server": sender.used[-1],
                    "postgres": until_answered.senders / COUNT * 1e6,
                    "with consumers": until_settled.total / COUNT * 1e6,
                    "rate": sender.rates[-1],
                }

            yield measure


def _settle(people):
    """Wait until no backend of this database has done anything for a moment, so that one build's work is not in the other's run."""
    until = time.monotonic() + SETTLING
    while time.monotonic() < until:
        with Backends(people) as used:
            time.sleep(0.1)
        if used.total < 0.002:
            return


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
