"""Fan-out: events that reach all sockets of one server over Redis, and the CPU that each delivery took.

What is counted is the whole process of the server and Valkey, and nginx beside them where it stands between. What is published is what
another instance publishes for a message: for Parley all three envelopes of it, and committed before, because an instance compares its
positions with the database. What that other instance spends is counted by the case of createMessage.
"""

import uuid
from contextlib import ExitStack, contextmanager

from bench import events
from bench.measure import Meter, user_and_kernel
from bench.peers import install
from bench.peers.servers import Limit
from bench.stage import address, running
from local.processes import free_port

SOCKETS = 1000
WARM_UP = 3


class Failed(Exception):
    """A server did not deliver."""


class Contender:
    """A server with its sockets open. `publish(n)` lets n events reach it together, over Redis."""

    def __init__(self, name: str, sockets, publish, meters: dict[str, int], nginx=None):
        self.name = name
        self.used = []  # CPU microseconds of the server and of Valkey per delivery, of each run
        self.nginx_used = []
        self.load_used = []  # the load's own, which is in neither
        self.shares = []  # (user, kernel) microseconds of the server alone per delivery
        self._sockets, self._publish = sockets, publish
        self._meters = {**meters, **({"nginx": nginx.pid} if nginx else {})}
        self._delivered = 0

    def send(self, together: int, wait=True):
        """Let so many events arrive together, and wait until every socket has them. Raises `Failed`."""
        self._publish(together)
        self._delivered += together * SOCKETS
        if wait:
            self.wait()

    def wait(self):
        """Until every socket has everything. Raises `Failed`."""
        if not self._sockets("reach", group=self.name, events=self._delivered)["ok"]:
            raise Failed(f"{self.name} has not delivered: {self._sockets('state', group=self.name)}")

    def warm_up(self, together: int):
        for _ in range(WARM_UP):
            self.send(together)

    def run(self, rounds: int, together: int):
        """One measured run."""
        before = user_and_kernel(self._meters["server"])
        with Meter(**self._meters, load=self._sockets.pid) as used:
            for _ in range(rounds):
                self.send(together)
        deliveries = rounds * together * SOCKETS
        self.shares.append(
            [
                (now - then) / deliveries * 1e6
                for now, then in zip(user_and_kernel(self._meters["server"]), before, strict=True)
            ]
        )
        nginx = used["nginx"] if "nginx" in self._meters else 0.0
        self.load_used.append(used["load"] / deliveries * 1e6)
        self.used.append((used.total - nginx - used["load"]) / deliveries * 1e6)
        self.nginx_used.append(nginx / deliveries * 1e6)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame on the wire."""
        state = self._sockets("state", group=self.name)
        return round(state["bytes"] / state["events"])


class Arena:
    """Where contenders are set up, all of them at once, so that their runs can alternate."""

    def __init__(self, stage, *, unix=False, behind=False):
        """`unix`: over unix sockets; `behind`: those of an nginx of each one's own, and over TCP from there."""
        self.stage, self._unix, self._behind = stage, unix or behind, behind
        self.content = events.CONTENT  # of the next message
        self._stack = ExitStack()

    def __enter__(self):
        self.people = self._stack.enter_context(self.stage.database())
        self.people.add(SOCKETS)
        self.chat = self.people.chat(range(SOCKETS))
        self.sockets = self._stack.enter_context(self.stage.sockets())
        self.bus = self._stack.enter_context(self.stage.bus())
        return self

    def __exit__(self, *error):
        self._stack.close()

    def ours(self, hello: dict | None = None, name="Parley", **settings) -> Contender:
        """One instance; `hello` is what its clients ask for, the message alone if None."""
        server = self._stack.enter_context(self.stage.instance(self.people, unix=self._unix, **settings))
        words = [self.people.token(number) for number in range(SOCKETS)]
        return self._contender(
            name, server, "parley", "/ws", words if hello is None else [(word, hello) for word in words], self._ours
        )

    def peer(self, kind) -> Contender:
        """A peer of `peers.servers`. Raises `install.Missing`."""
        server = self._stack.enter_context(
            running(kind(self.stage, database=self.people.url, **self._where(kind.name)))
        )

        def publish(together):
            self.bus.publish([server.publish(self._message()) for _ in range(together)])

        return self._contender(kind.name, server, kind.dialect, kind.path, server.words(self.chat, SOCKETS), publish)

    def limit(self, frame_bytes: int, kind=Limit) -> Contender:
        """The C loop, or another that does nothing but send. Raises `install.Missing`."""
        server = self._stack.enter_context(running(kind(self.stage, SOCKETS, frame_bytes, **self._where(kind.name))))
        return self._contender(
            kind.name, server, kind.dialect, kind.path, [""] * SOCKETS, server.send, frame_bytes=frame_bytes
        )

    def _ours(self, together):
        written = self.people.write(self.chat, 0, [self.content] * together)
        self.bus.publish(self.stage.events.published(written, self.people.epoch))

    def _contender(self, name, server, dialect, path, words, publish, **more):
        nginx = self._stack.enter_context(self.stage.nginx([server.address])) if self._behind else None
        self.sockets(
            "open",
            group=name,
            at=nginx.port if nginx else address(server),
            dialect=dialect,
            path=path,
            words=words,
            **more,
        )
        return Contender(name, self.sockets, publish, {"server": server.pid, "valkey": self.stage.valkey.pid}, nginx)

    def _where(self, name):
        return (
            {"socket_path": self.stage.directory / f"{name.replace(' ', '-')}.sock"}
            if self._unix
            else {"port": free_port()}
        )

    def _message(self):
        return events.Message(
            str(uuid.uuid4()), self.chat, self.people.ids[0], self.content, "2026-01-01T00:00:00.000Z", 1, SOCKETS
        )


def alternate(contenders: list[Contender], together: int, runs: int, rounds: int, fewer: dict[str, int] | None = None):
    """`runs` runs of each in turn; `fewer` rounds for those that take long."""
    for contender in contenders:
        for figures in (contender.used, contender.nginx_used, contender.load_used, contender.shares):
            figures.clear()
        contender.warm_up(together)
    for _ in range(runs):
        for contender in contenders:
            contender.run((fewer or {}).get(contender.name, rounds), together)


@contextmanager
def missing(name: str, found: dict[str, str]):
    """Note in `found` why a peer could not be had."""
    try:
        yield
    except install.Missing as why:
        found[name] = str(why)
