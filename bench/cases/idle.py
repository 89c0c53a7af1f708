"""10,000 idle sockets: memory of the process for each, against a bare Tornado handler and the peers, and pauses for garbage."""

import time
from contextlib import ExitStack, contextmanager

from bench import report
from bench.fanout import missing
from bench.gc_watch import Watched
from bench.measure import Meter, memory
from bench.peers import servers
from bench.people import body
from bench.stage import running
from bench.versus import Figure, compared
from local.processes import free_port

SOCKETS = 10_000
IN_A_CHAT = 10
PAUSE = 20.0
OPENING_SECONDS = 240.0
PEERS = (servers.Bare, servers.Ws, servers.SocketIo, servers.Graphql)


def memory_and_pauses(stage):
    """Signed in, greeted, in a chat of ten people each; peers as they are."""
    with ExitStack() as stack:
        people = stack.enter_context(stage.database())
        people.add(SOCKETS)
        chats = people.chats([range(first, first + IN_A_CHAT) for first in range(0, SOCKETS, IN_A_CHAT)])
        people.rows("analyze")
        notes = stage.directory / "gc.txt"
        with (
            stage.sockets() as sockets,
            stage.instance(people, kind=Watched, GC_NOTES=str(notes)) as instance,
            stage.requests() as load,
        ):
            at_start = len(_lines(notes))  # nobody waits for an instance that is not ready
            words = [[people.token(number), {}] for number in range(SOCKETS)]
            ours, opening = _of_each(sockets, instance, "parley", "/ws", words)
            asked = [
                ["POST", f"/api/chats/{chat}/messages", people.headers(number * IN_A_CHAT), body("Hello")]
                for number, chat in enumerate(chats)
            ]
            load("run", at=instance.port, requests=asked, concurrent=8, seconds=4.0)
        pauses = [float(line.split()[1]) for line in _lines(notes)[at_start:]]
        found, why = {}, {}
        for kind in PEERS:
            with missing(kind.name, why):
                peer = kind(stage, database=people.url, port=free_port())
                with stage.sockets() as sockets, running(peer):
                    found[kind.name], _ = _of_each(
                        sockets, peer, peer.dialect, peer.path, peer.words(chats[0], SOCKETS)
                    )
        bare = found[servers.Bare.name]
        yield report.within("idle", "memory of the process per socket", ours, bare, 1.0, "KB", "a bare Tornado handler")
        for kind in PEERS[1:]:
            if kind.name in found:
                yield report.shown(
                    "idle", f"{kind.name}, memory of the process per socket", f"{found[kind.name]:.1f} KB"
                )
            else:
                yield report.not_run("idle", f"{kind.name}, memory of the process per socket", why[kind.name])
        yield report.shown("idle", "CPU of the instance to open a socket, signed in and greeted", f"{opening:.2f} ms")
        worst = max(pauses, default=0.0)
        yield report.at_most(
            "idle",
            "longest pause for garbage, with 10,000 sockets opened and then messages sent",
            worst,
            PAUSE,
            f"{worst:.0f} ms ({len(pauses)} above 1 ms)",
            f"≤ {PAUSE:g} ms",
        )


def between(sides):
    """Two builds: memory for each socket, and of an instance on which nothing happens; a new instance for each run."""

    @contextmanager
    def set_up(side):
        with side.database() as people:
            people.add(SOCKETS)
            people.chats([range(first, first + IN_A_CHAT) for first in range(0, SOCKETS, IN_A_CHAT)])
            people.rows("analyze")
            yield lambda: _measured(side, people)

    figures = {
        "socket": Figure("memory of the process per socket", "KB", 1.03),
        "alone": Figure("memory of an instance without sockets", "MB"),
        "opening": Figure("CPU of the instance to open a socket, signed in and greeted", "ms"),
    }
    yield from compared("idle", sides, figures, set_up, times=1, runs=3, warm_up=0)


def _measured(side, people) -> dict:
    with side.sockets() as sockets, side.instance(people) as instance:
        time.sleep(1)
        alone = memory(instance.pid)
        words = [[people.token(number), {}] for number in range(SOCKETS)]
        each, opening = _of_each(sockets, instance, "parley", "/ws", words)
        return {"socket": each, "alone": alone / 1e6, "opening": opening}


def _lines(path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _of_each(sockets, server, dialect, path, words) -> tuple[float, float]:
    """Kilobytes per socket, and milliseconds of CPU to open one."""
    some, others = words[:50], words[50:]
    sockets("open", group="warm", at=server.port, dialect=dialect, path=path, words=some)
    before = memory(server.pid)
    with Meter(server=server.pid) as used:
        sockets("open", group="idle", at=server.port, dialect=dialect, path=path, words=others, seconds=OPENING_SECONDS)
    time.sleep(1)
    return (memory(server.pid) - before) / len(others) / 1000, used["server"] / len(others) * 1000
