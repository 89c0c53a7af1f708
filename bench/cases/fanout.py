"""One event to 1,000 sockets: over TCP and over a unix socket, one at a time and ten together, and through nginx."""

from contextlib import contextmanager
from statistics import median

from bench import report
from bench.fanout import Arena, alternate, missing
from bench.peers import servers
from bench.versus import Figure, compared

RUNS = 5
RUNS_OF_LIMITS = 9  # what is so near needs more
ROUNDS = 50
LIMIT = "the C loop"
SLOW = {"graphql-ws": 10, "Django Channels": 3}
PEERS = ((servers.Ws, servers.SocketIo), (servers.Graphql, servers.Channels))
MARKS = {"Node ws": 0.75, "Socket.IO": 0.75, "graphql-ws": 0.2}
BEHIND_NGINX = (servers.Ws, servers.SocketIo, servers.Graphql)


def tcp(stage):
    """Over TCP, against the limit, then against the peers that are near, then against the others: six servers at once disturb one another."""
    with Arena(stage) as arena:
        yield from _limits(arena, "fanout", ROUNDS, {1: 1.25, 10: 1.5})
    for kinds in PEERS:
        with Arena(stage) as arena:
            ours, found, why = _set_up(arena, kinds)
            limit = []
            with missing(LIMIT, {}):
                limit.append(arena.limit(ours.frame_bytes))
            alternate([ours, *limit, *found], 1, RUNS, ROUNDS, SLOW)
            marks = {kind.name: MARKS[kind.name] for kind in kinds if kind.name in MARKS}
            yield from _against("fanout", "one at a time", ours, found, why, marks)
            for each in limit:
                shares = ", ".join(f"{median(each.used) / median(other.used):.2f} × {other.name}" for other in found)
                if shares:
                    yield report.shown(
                        "fanout", "one at a time, CPU per delivery of the C loop, which only sends", shares
                    )
            yield report.shown(
                "fanout", f"one at a time, own code and the kernel's, beside {_names(found)}", _shares([ours, *found])
            )


def unix(stage):
    """Over a unix socket, as behind nginx, against the limit."""
    with Arena(stage, unix=True) as arena:
        yield from _limits(arena, "unix", 2 * ROUNDS, {1: 1.75, 10: 2.5})


def _limits(arena, case, rounds, marks):
    """Against the C loop, with a mark for events that arrive one at a time and one for ten together."""
    ours, found, why = _set_up(arena, ())
    with missing(LIMIT, why):
        found += [arena.limit(ours.frame_bytes, kind) for kind in (servers.Limit, servers.PythonLoop)]
    for together, what in ((1, "one at a time"), (10, "ten together")):
        alternate([ours, *found], together, RUNS_OF_LIMITS, rounds)
        yield from _against(case, what, ours, found, why, {LIMIT: marks[together]})
        if together == 1:
            yield report.shown(
                case, f"one at a time, own code and the kernel's, beside {_names(found)}", _shares([ours, *found])
            )
            yield report.shown(
                case, "the load's own CPU per delivery, which is not counted", f"{median(ours.load_used):.3g} µs"
            )
    yield report.shown(case, "bytes of a frame", str(ours.frame_bytes))


def nginx(stage):
    """Through nginx, whose own CPU is shown beside ours; peers through one like it."""
    with Arena(stage, behind=True) as arena:
        why, found, ours = {}, [], arena.ours()
        for kind in BEHIND_NGINX:
            with missing(kind.name, why):
                found.append(arena.peer(kind))
        alternate([ours, *found], 1, RUNS, ROUNDS // 2, SLOW)
        mine = median(ours.used) + median(ours.nginx_used)
        for kind in BEHIND_NGINX:
            what = f"CPU per delivery with nginx's, against {kind.name}"
            other = next((each for each in found if each.name == kind.name), None)
            if other is None:
                yield report.not_run("nginx", what, why[kind.name])
            else:
                yield report.within(
                    "nginx", what, mine, median(other.used) + median(other.nginx_used), 0.9, "µs", kind.name
                )
        for each in (ours, *found):
            figure = f"{median(each.used):.3g} µs, nginx {median(each.nginx_used):.3g} µs"
            yield report.shown("nginx", f"{each.name} and its nginx, CPU per delivery", figure)


def asked_for(stage):
    """What it costs that browsers also ask for their unread counts, which are worked out ten times a second in a chat as large."""
    with Arena(stage) as arena:
        ours = arena.ours({})
        ours.warm_up(1)
        ours.run(ROUNDS, 1)
        yield report.shown(
            "counts",
            "one at a time, the clients asking for unread counts as well: CPU per delivered message",
            f"{ours.used[-1]:.3g} µs",
        )


def tcp_between(sides):
    """Two builds over TCP, one event at a time and ten together."""
    yield from _between("fanout", sides, ROUNDS)


def unix_between(sides):
    """The same over a unix socket."""
    yield from _between("unix", sides, 2 * ROUNDS, unix=True)


def _between(case, sides, rounds, **where):
    @contextmanager
    def set_up(side):
        with Arena(side, **where) as arena:
            ours = arena.ours(name=side.name)

            def measure():
                ours.run(rounds, 1)
                ours.run(rounds // 2, 10)
                return {"single": ours.used[-2], "ten": ours.used[-1]}

            yield measure

    figures = {
        "single": Figure("one at a time, CPU per delivery", "µs", 1.03),
        "ten": Figure("ten together, CPU per delivery", "µs", 1.03),
    }
    yield from compared(case, sides, figures, set_up)


def asked_for_between(sides):
    """Two builds, the clients asking for unread counts as well."""

    @contextmanager
    def set_up(side):
        with Arena(side) as arena:
            ours = arena.ours({}, side.name)

            def measure():
                ours.run(ROUNDS, 1)
                return {"used": ours.used[-1]}

            yield measure

    what = "one at a time, the clients asking for unread counts as well: CPU per delivered message"
    yield from compared("counts", sides, {"used": Figure(what, "µs")}, set_up)


def _names(contenders) -> str:
    return " and ".join(each.name for each in contenders) or "nobody"


def _shares(contenders) -> str:
    figures = [(each.name, *(median(share) for share in zip(*each.shares, strict=True))) for each in contenders]
    return ", ".join(f"{name} {user:.2g} + {kernel:.2g} µs" for name, user, kernel in figures)


def _set_up(arena, kinds):
    why, found, ours = {}, [], arena.ours()
    ours.warm_up(1)
    for kind in kinds:
        with missing(kind.name, why):
            found.append(arena.peer(kind))
    return ours, found, why


def _against(case, what, ours, others, why, marks):
    by_name = {other.name: other for other in others}
    for name, mark in marks.items():
        label = f"{what}, CPU per delivery against {name}"
        if name in by_name:
            yield report.within(case, label, median(ours.used), median(by_name[name].used), mark, "µs", name)
        else:
            yield report.not_run(case, label, why[name])
    for name in (other.name for other in others if other.name not in marks):
        figure = f"{median(ours.used) / median(by_name[name].used):.2f} × ({median(ours.used):.3g} µs, {name} {median(by_name[name].used):.3g})"
        yield report.shown(case, f"{what}, CPU per delivery against {name}", figure)
