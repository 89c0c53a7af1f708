"""What the cases run on: PostgreSQL, Valkey, nginx and instances started as in production, and the load processes.

Everything is on this machine's loopback, and ends with the `with` of the case that started it.
"""

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from bench import knowledge
from bench.bus import Bus
from bench.load.process import Load
from local.builds import HERE, Build
from local.instance import Instance, migrate
from local.nginx import Nginx
from local.postgres import Postgres
from local.processes import free_port, raise_file_limit
from local.valkey import Valkey

CONNECTIONS = 200
# The limits that keep one client from taking everything; here few clients are to take everything. The rest is as shipped.
SETTINGS = {"MUTATIONS_PER_SECOND": "1000000"}
# The call of builds whose own bench does not say it.
SEND_BEFORE = "send_message({actor}, gen_random_uuid(), 0, {chat}, '{content}', 50)"


class Stage:
    """`with Stage() as stage:`; what runs for all cases. `ours` is what this build's cases run on, `theirs` what another build's do."""

    def __init__(self, against: Build | None = None):
        self._against = against
        self._stack = ExitStack()

    def __enter__(self):
        raise_file_limit()
        directory = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        directory.chmod(0o711)
        self._stack.callback(shutil.rmtree, directory, ignore_errors=True)
        try:
            # Commits are durable, as by default; more memory and rarer checkpoints than the defaults, as anybody has who runs a server.
            options = {
                "max_connections": CONNECTIONS,
                "shared_buffers": "512MB",
                "max_wal_size": "8GB",
                "checkpoint_timeout": "15min",
                "log_checkpoints": "off",
            }
            postgres = self._start(Postgres(directory / "postgres", directory / "pg", options=options))
            self.ours, self.theirs = (
                Side(build, directory, postgres, self._start(Valkey(directory / f"valkey-{place}", port=free_port())))
                if build
                else None
                for place, build in enumerate((HERE, self._against))
            )
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error):
        self._stack.close()

    @property
    def sides(self) -> list:
        """Ours, and theirs where there is another build."""
        return [side for side in (self.ours, self.theirs) if side is not None]

    def _start(self, part):
        self._stack.callback(part.kill)
        part.start()
        return part


class Side:
    """What a case runs on, of one build: databases with its schema, a Valkey that no other build is on, and its instances.

    Two builds on one Redis would hear each other's events.
    """

    _databases = count(1)

    def __init__(self, build: Build, directory: Path, postgres: Postgres, valkey: Valkey):
        self.build, self.directory, self.postgres, self.valkey = build, directory, postgres, valkey
        self.name = build.name
        self._tables, self.events = knowledge.modules(build)

    def send_message(self, actor: str, chat: str, content: str) -> str:
        """The call of SQL that sends a message, of these columns."""
        send = getattr(self._tables, "SEND", SEND_BEFORE)
        return send.format(actor=actor, chat=chat, content=content)

    @contextmanager
    def database(self):
        """`People` on a new database with the build's schema."""
        name = f"bench_{next(self._databases)}"
        self.postgres.create_database(name)
        try:
            migrate(self.postgres.url(name), build=self.build)
            with self._tables.People(self.postgres.url(name)) as made:
                yield made
        finally:
            self.postgres.drop_database(name)

    @contextmanager
    def instance(self, database, number=1, *, unix=False, kind=Instance, **settings):
        """A ready instance on these `People`, on a port, or with `unix` on a unix socket."""
        path = self.directory / f"{self.build.commit or 'web'}.{number}.sock"
        with running(
            kind(
                f"web.{number}",
                database.url,
                self.valkey.url,
                env={**SETTINGS, **settings},
                build=self.build,
                **({"socket_path": path} if unix else {"port": free_port()}),
            )
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
    def senders(self):
        """The process that sends without HTTP, as the build's handlers do."""
        with Load("senders", self.build) as load:
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
