"""What must not grow: a message's cost with its chat's participants, and a chat's opening with its history."""

import json
from contextlib import ExitStack, contextmanager
from statistics import median

from bench import report
from bench.events import CONTENT
from bench.people import body
from bench.versus import Figure, compared

RUNS = 5
SIZES = (2, 100, 1000, 10_000)
ONLINE = 100
MARK = 1.5
SMALL, LARGE = 1000, 1_000_000
CHATS, IN_EACH = 200, 2000  # of the chats whose unread counts are asked for
BEHIND = 500


def participants(stage):
    """createMessage in chats of 2 to 10,000, of whom up to 100 are connected."""
    latency, written = {size: [] for size in SIZES}, {size: [] for size in SIZES}
    with _sizes(stage) as measure:
        measure()
        for _ in range(RUNS):
            for size, (milliseconds, size_in_log) in measure().items():
                latency[size].append(milliseconds)
                written[size].append(size_in_log)
    for name, found, unit in (("latency", latency, "ms"), ("bytes written to the database's log", written, "B")):
        figures = {size: median(values) for size, values in found.items()}
        worst = max(figures.values()) / figures[2]
        text = ", ".join(f"{size:,}: {report.number(figure)} {unit}" for size, figure in figures.items())
        yield report.at_most(
            "participants",
            f"{name} of a message, 2 to 10,000 participants",
            worst,
            MARK,
            f"{worst:.2f} × ({text})",
            f"≤ {MARK:g} × that of 2",
        )


def participants_between(sides):
    """Two builds: the same messages."""

    @contextmanager
    def set_up(side):
        with _sizes(side) as measure:
            yield lambda: {
                (size, place): figure for size, found in measure().items() for place, figure in enumerate(found)
            }

    figures = {
        (size, place): Figure(f"{what} of a message, {size:,} participants", unit)
        for place, (what, unit) in enumerate((("latency", "ms"), ("bytes written to the database's log", "B")))
        for size in SIZES
    }
    yield from compared("participants", sides, figures, set_up, times=1)


@contextmanager
def _sizes(side):
    """A function that sends into a chat of each size and answers milliseconds and bytes of the database's log for one message."""
    with ExitStack() as stack:
        people = stack.enter_context(side.database())
        load = stack.enter_context(side.requests())
        sockets = stack.enter_context(side.sockets())
        people.add(max(SIZES))
        # Users of their own where that can be, so that nobody is connected to two of them.
        chats = dict(zip(SIZES, people.chats([range(size) for size in SIZES]), strict=True))
        people.rows("analyze")
        instance = stack.enter_context(side.instance(people))
        sockets(
            "open",
            group="online",
            at=instance.port,
            dialect="parley",
            words=[[people.token(number), {}] for number in range(ONLINE)],
        )

        def measure():
            found = {}
            for size in SIZES:
                request = ["POST", f"/api/chats/{chats[size]}/messages", people.headers(0), body(CONTENT)]
                before = _log_position(people)
                answer = load("count", at=instance.port, requests=[request], concurrent=1, count=40)
                if answer["refused"]:
                    raise RuntimeError(f"{answer['status']}: {answer['last']}")
                found[size] = answer["p50"], (_log_position(people) - before) / answer["count"]
            return found

        yield measure


def history(stage):
    """A chat of 1,000,000 messages against one of 1,000. Of the 200 chats each has 2,000, which is what there is time to write."""
    with _histories(stage) as measure:
        runs = [measure() for _ in range(RUNS)]
    for what in ASKED:
        large, small = (median(run[what, size] for run in runs) for size in (LARGE, SMALL))
        yield report.within("history", what, large, small, MARK, "ms", "the same on 1,000 messages")


def history_between(sides):
    """Two builds on the long histories."""
    figures = {(what, LARGE): Figure(f"{what}, the long history", "ms") for what in ASKED}
    yield from compared("history", sides, figures, _histories, times=1)


@contextmanager
def _histories(side):
    """A function that asks each of `ASKED` of the short and of the long history, and answers milliseconds."""
    with ExitStack() as stack:
        people = stack.enter_context(side.database())
        load = stack.enter_context(side.requests())
        people.add(6)
        chats = {size: people.chat([0, 1]) for size in (SMALL, LARGE)}
        many = {size: people.chats([(0, user)] * CHATS) for size, user in ((SMALL, 2), (LARGE, 3))}
        # Of builds whose sends index the words: none of these questions uses that index, and it takes most of the time to write.
        people.rows("drop index if exists messages_text")
        for size, chat in chats.items():
            people.seed([chat], size)
        people.seed(many[SMALL], SMALL)
        people.seed(many[LARGE], IN_EACH)
        people.rows("vacuum analyze messages")
        people.rows("vacuum analyze chat_events")
        people.rows("vacuum analyze participants")
        people.rows("checkpoint")
        instance = stack.enter_context(side.instance(people))
        requests = {(what, size): request(people, chats, size) for what, request in ASKED.items() for size in chats}

        def measure():
            found = {}
            for place, request in requests.items():
                answer = load("count", at=instance.port, requests=[request], concurrent=1, count=20)
                if answer["refused"]:
                    raise RuntimeError(f"{place[0]}: {answer['status']}: {answer['last']}")
                found[place] = answer["p50"]
            return found

        yield measure


def _log_position(people) -> int:
    return people.one("select pg_current_wal_lsn() - '0/0'::pg_lsn")


def _get(people, user, path):
    return ["GET", path, {"Authorization": f"Bearer {people.token(user)}"}, None]


def _middle(people, chat, size):
    return people.one("select id from messages where chat_id = %s and ordinal = %s", chat, size // 2)


def _resume(people, chat, size):
    hello = {"epoch": people.epoch, "cursors": {chat: size + 1 - BEHIND}, "channels": []}
    return ["POST", "/api/sync", {"Authorization": f"Bearer {people.token(1)}"}, json.dumps(hello)]


ASKED = {
    "opening a chat": lambda people, chats, size: _get(people, 1, f"/api/chats/{chats[size]}/messages?limit=50"),
    "a page in its middle": lambda people, chats, size: _get(
        people, 1, f"/api/chats/{chats[size]}/messages?around={_middle(people, chats[size], size)}"
    ),
    "unread counts of 200 chats": lambda people, chats, size: _get(people, 2 if size == SMALL else 3, "/api/unread"),
    "resume of a client 500 events behind": lambda people, chats, size: _resume(people, chats[size], size),
}
