"""What the cases run on: PostgreSQL, Valkey, nginx and instances started as in production, and the load processes.

Everything is on this machine's loopback, and ends with the `with` of the case that started it.
"""

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.bus import Bus
from bench.load.process import Load
from bench.people import People
from local.instance import Instance, migrate
from local.nginx import Nginx
from local.postgres import Postgres
from local.processes import free_port, raise_file_limit
from local.valkey import Valkey

CONNECTIONS = 200
# The limits that keep one client from taking everything; here few clients are to take everything. The rest is as shipped.
SETTINGS = {"MUTATIONS_PER_SECOND": "1000000"}


class Stage:
    """`with Stage() as stage:`; PostgreSQL and Valkey run for all cases, and each case has a database of its own."""

    def __init__(self):
        self._stack = ExitStack()

    def __enter__(self):
        raise_file_limit()
        self.directory = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self.directory.chmod(0o711)
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        try:
            # Commits are durable, as by default; more memory and rarer checkpoints than the defaults, as anybody has who runs a server.
            options = {
                "max_connections": CONNECTIONS,
                "shared_buffers": "512MB",
                "max_wal_size": "8GB",
                "checkpoint_timeout": "15min",
                "log_checkpoints": "off",
            }
            self.postgres = self.start(Postgres(self.directory / "postgres", self.directory / "pg", options=options))
            self.valkey = self.start(Valkey(self.directory / "valkey", port=free_port()))
        except BaseException:
            self._stack.close()
            raise
        self._databases = 0
        return self

    def __exit__(self, *error):
        self._stack.close()

    def start(self, part):
        """Start a part that is killed at the end of all cases."""
        self._stack.callback(part.kill)
        part.start()
        return part

    @contextmanager
    def database(self):
        """`People` on a new database with Parley's schema."""
        self._databases += 1
        name = f"bench_{self._databases}"
        self.postgres.create_database(name)
        try:
            migrate(self.postgres.url(name))
            with People(self.postgres.url(name)) as people:
                yield people
        finally:
            self.postgres.drop_database(name)

    @contextmanager
    def instance(self, people, number=1, *, unix=False, kind=Instance, **settings):
        """A ready instance on a port, or with `unix` on a unix socket."""
        where = {"socket_path": self.directory / f"web.{number}.sock"} if unix else {"port": free_port()}
        with running(
            kind(f"web.{number}", people.url, self.valkey.url, env={**SETTINGS, **settings}, **where)
        ) as instance:
            yield instance

    @contextmanager
    def nginx(self, servers, kind=Nginx):
        """nginx before these addresses."""
        port = free_port()
        with running(kind(self.directory / f"nginx-{port}", port, servers)) as nginx:
            yield nginx

    @contextmanager
    def sockets(self):
        """The process that holds sockets."""
        with Load("sockets") as load:
            yield load

    @contextmanager
    def requests(self):
        """The process that sends requests."""
        with Load("requests") as load:
            yield load

    @contextmanager
    def bus(self):
        """A connection to Valkey that publishes."""
        with Bus(self.valkey.port) as bus:
            yield bus


@contextmanager
def running(part):
    """A part from its start until nothing of it is left."""
    try:
        part.start()
        yield part
    finally:
        part.kill()


def address(part):
    """What a load process connects to: the path of a unix socket or a port."""
    path = getattr(part, "socket_path", None)
    return str(path) if path else part.port
