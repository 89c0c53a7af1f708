"""A whole service behind nginx: two processes of Parley, or of a peer, and 1,000 sockets on one chat or on many. For what is measured end to end."""

from contextlib import ExitStack
from itertools import count

from bench.measure import Meter
from bench.peers import servers
from bench.people import body
from bench.stage import running

SOCKETS = 1000
SMALL = 20  # participants of a chat as most are
TIMED = "@now@ " + "A message is about as long as this sentence."
_numbers = count(1)


class Service:
    """`Service(stage, people, chat)` is Parley's, with a peer's class that peer's. `with` it runs. Everybody is in `chat`, and in one of the small ones."""

    def __init__(self, stage, people, chat, kind=None, processes=2):
        self.stage, self.people, self.chat, self.kind, self._processes = stage, people, chat, kind, processes
        self.name = kind.name if kind else "Parley"
        self._stack = ExitStack()

    def __enter__(self):
        try:
            self.servers = [self._server(number) for number in range(1, self._processes + 1)]
            self.nginx = self._stack.enter_context(self.stage.nginx([server.address for server in self.servers]))
            self.sockets = self._stack.enter_context(self.stage.sockets())
            self.requests = self._stack.enter_context(self.stage.requests())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error):
        self._stack.close()

    def _server(self, number):
        if self.kind is None:
            return self._stack.enter_context(self.stage.instance(self.people, number, unix=True))
        where = self.stage.directory / f"peer-{next(_numbers)}.sock"
        return self._stack.enter_context(running(self.kind(self.stage, database=self.people.url, socket_path=where)))

    def connect(self, hello: dict | None = None, small=()):
        """1,000 sockets instead of those before, a peer's in `chat` or in these `small` ones; Parley's are in all chats of their user.

        Parley's ask for the messages alone, which is all that the peers know, or for what `hello` says.
        """
        self.sockets("close", group="all")
        if self.kind is None:
            words, dialect, path = [self.people.token(number) for number in range(SOCKETS)], "parley", "/ws"
            words = words if hello is None else [[word, hello] for word in words]
        else:
            words = [
                word
                for chat in small or [self.chat]
                for word in self.servers[0].words(chat, SOCKETS // max(1, len(small)))
            ]
            dialect, path = self.kind.dialect, self.kind.path
        self.sockets("open", group="all", at=self.nginx.port, dialect=dialect, path=path, words=words)

    def request(self, chat: str | None = None, sender: int = 0) -> list:
        """The request that sends a message with its time in it."""
        if self.kind is None:
            return ["POST", f"/api/chats/{chat or self.chat}/messages", self.people.headers(sender), body(TIMED)]
        return self.servers[0].request(chat or self.chat, self.people.ids[sender], TIMED)

    def meter(self) -> Meter:
        """CPU of the parts and of the load."""
        pids = {f"server{number}": server.pid for number, server in enumerate(self.servers, 1)}
        return Meter(**pids, nginx=self.nginx.pid, load=self.sockets.pid)


def prepared(stack, stage):
    """`(people, chat, small)`: 1,000 users in one chat, and in small ones, all known to the peers as well."""
    people = stack.enter_context(stage.database())
    people.add(SOCKETS)
    groups = [range(SOCKETS), *(range(start, start + SMALL) for start in range(0, SOCKETS, SMALL))]
    chat, *small = people.chats(groups)
    servers.tables(people, [chat, *small], groups)
    return people, chat, small
