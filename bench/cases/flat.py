"""What must not grow: a message's cost with its chat's participants, and a chat's opening with its history."""

import json
from contextlib import ExitStack
from statistics import median

from bench import report
from bench.events import CONTENT
from bench.people import body

RUNS = 5
SIZES = (2, 100, 1000, 10_000)
ONLINE = 100
MARK = 1.5
SMALL, LARGE = 1000, 1_000_000
CHATS, IN_EACH = 200, 2000  # of the chats whose unread counts are asked for
BEHIND = 500


def participants(stage):
    """createMessage in chats of 2 to 10,000, of whom up to 100 are connected."""
    with ExitStack() as stack:
        people = stack.enter_context(stage.database())
        load = stack.enter_context(stage.requests())
        sockets = stack.enter_context(stage.sockets())
        people.add(max(SIZES))
        # Users of their own where that can be, so that nobody is connected to two of them.
        chats = dict(zip(SIZES, people.chats([range(size) for size in SIZES]), strict=True))
        people.rows("analyze")
        instance = stack.enter_context(stage.instance(people))
        latency, written = {size: [] for size in SIZES}, {size: [] for size in SIZES}
        sockets(
            "open",
            group="online",
            at=instance.port,
            dialect="parley",
            words=[[people.token(number), {}] for number in range(ONLINE)],
        )
        for run in range(RUNS + 1):
            for size in SIZES:
                request = ["POST", f"/api/chats/{chats[size]}/messages", people.headers(0), body(CONTENT)]
                before = _log_position(people)
                answer = load("count", at=instance.port, requests=[request], concurrent=1, count=40)
                if answer["refused"]:
                    raise RuntimeError(f"{answer['status']}: {answer['last']}")
                if run:
                    latency[size].append(answer["p50"])
                    written[size].append((_log_position(people) - before) / answer["count"])
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


def history(stage):
    """A chat of 1,000,000 messages against one of 1,000. Of the 200 chats each has 2,000, which is what there is time to write."""
    with ExitStack() as stack:
        people = stack.enter_context(stage.database())
        load = stack.enter_context(stage.requests())
        people.add(6)
        chats = {size: people.chat([0, 1]) for size in (SMALL, LARGE)}
        many = {size: people.chats([(0, user)] * CHATS) for size, user in ((SMALL, 2), (LARGE, 3))}
        people.rows(
            "drop index messages_text"
        )  # of the search, which none of these questions uses; it takes most of the time to write
        for size, chat in chats.items():
            people.seed([chat], size)
        people.seed(many[SMALL], SMALL)
        people.seed(many[LARGE], IN_EACH)
        people.rows("vacuum analyze messages")
        people.rows("vacuum analyze chat_events")
        people.rows("vacuum analyze participants")
        people.rows("checkpoint")
        instance = stack.enter_context(stage.instance(people))
        asked = {
            "opening a chat": lambda size: _get(people, 1, f"/api/chats/{chats[size]}/messages?limit=50"),
            "a page in its middle": lambda size: _get(
                people, 1, f"/api/chats/{chats[size]}/messages?around={_middle(people, chats[size], size)}"
            ),
            "unread counts of 200 chats": lambda size: _get(people, 2 if size == SMALL else 3, "/api/unread"),
            "resume of a client 500 events behind": lambda size: _resume(people, chats[size], size),
        }
        for what, request in asked.items():
            requests, found = {size: request(size) for size in chats}, {size: [] for size in chats}
            for _ in range(RUNS):
                for size in chats:
                    answer = load("count", at=instance.port, requests=[requests[size]], concurrent=1, count=20)
                    if answer["refused"]:
                        raise RuntimeError(f"{what}: {answer['status']}: {answer['last']}")
                    found[size].append(answer["p50"])
            yield report.within(
                "history", what, median(found[LARGE]), median(found[SMALL]), MARK, "ms", "the same on 1,000 messages"
            )


def _log_position(people) -> int:
    return people.one("select pg_current_wal_lsn() - '0/0'::pg_lsn")


def _get(people, user, path):
    return ["GET", path, {"Authorization": f"Bearer {people.token(user)}"}, None]


def _middle(people, chat, size):
    return people.one("select id from messages where chat_id = %s and ordinal = %s", chat, size // 2)


def _resume(people, chat, size):
    hello = {"epoch": people.epoch, "cursors": {chat: size + 1 - BEHIND}, "channels": []}
    return ["POST", "/api/sync", {"Authorization": f"Bearer {people.token(1)}"}, json.dumps(hello)]
