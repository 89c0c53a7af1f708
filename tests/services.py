"""Real services for the tests: PostgreSQL, Valkey, databases, and whole clusters of instances whose parts can be hurt.

Fixtures (imported by `conftest.py`):

    postgres      the PostgreSQL of this test process, on loopback; restarted, it keeps its data and address
    new_database  `new_database()` → the URL of one more fresh, migrated database; dropped at the end of the module
    database      the URL of a fresh, migrated database, one for each test module
    valkey        the Valkey of this test process; clusters have one each of their own
    cluster       `cluster(instances=2, nginx=True, env={…})` → a started `Cluster`; stopped at the end of the test
    module_cluster  the same until the end of the module
"""

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from local.builds import HERE
from local.instance import Instance, migrate
from local.nginx import Nginx
from local.postgres import Postgres
from local.processes import free_port, raise_file_limit
from local.valkey import Valkey

TEMPLATE = "parley_template"


class Cluster:
    """Instances behind nginx with a Valkey of their own and a fresh database in the shared PostgreSQL.

    Every part can be killed (`kill()`), frozen (`freeze()`, `thaw()`), stopped in good order (`stop()`) and started
    again (`start()`) at the same address. Instances listen on TCP, so that each can be reached past nginx at its own
    `url`; with `sockets=True` on unix sockets, as `make run` has them. They run `build` until `deploy` gives them another.
    """

    live = []  # those whose logs belong to the running test

    def __init__(self, directory, postgres, database, *, instances=2, nginx=True, sockets=False, env=None, build=HERE):
        self.directory, self.postgres, self.database = Path(directory), postgres, database
        self.valkey = Valkey(self.directory / "valkey", port=free_port())
        # The pace of a person would be a matter of the machine's speed here; tests/handlers/test_pace.py has it.
        self.env = {"DRAIN_SECONDS": "3", "SIGN_UP": "open", "MUTATIONS_PER_SECOND": "10000", **(env or {})}
        self.sockets, self.build = sockets, build
        self.instances = [self._instance(number) for number in range(1, instances + 1)]
        servers = [instance.address for instance in self.instances]
        self.nginx = Nginx(self.directory / "nginx", free_port(), servers) if nginx else None

    def _instance(self, number):
        name = f"web.{number}"
        at = {"socket_path": self.directory / f"{name}.sock"} if self.sockets else {"port": free_port()}
        return Instance(name, self.database, self.valkey.url, env=self.env, build=self.build, **at)

    @property
    def url(self) -> str:
        """The address that a browser would open: nginx, or the first instance where there is none."""
        return self.nginx.url if self.nginx else self.instances[0].url

    @property
    def parts(self) -> list:
        return [self.valkey, *self.instances, *([self.nginx] if self.nginx else [])]

    def start(self):
        Cluster.live.append(self)
        self.valkey.start()
        for instance in self.instances:
            instance.start(wait=False)
        for part in self.parts[1:]:
            part.wait_until_ready() if part.alive else part.start()
        return self

    def deploy(self, build):
        """The database is brought to this build's schema, then one instance after the other stops in good order and comes back as this build."""
        migrate(self.database, build=build)
        self.build = build
        for instance in self.instances:
            instance.stop()
            instance.build = build
            instance.start()

    def stop(self):
        """End everything at once; the shared PostgreSQL runs on, or again."""
        for part in reversed(self.parts):
            part.kill()
        self.postgres.thaw()
        self.postgres.start()
        if self in Cluster.live:
            Cluster.live.remove(self)

    def wait_until_well(self, seconds=10.0):
        """Until every instance has PostgreSQL and hears Redis."""
        deadline = time.monotonic() + seconds
        while any(instance.get("/readyz")[1]["status"] != "ok" for instance in self.instances):
            assert time.monotonic() < deadline, f"not well again within {seconds:g} s"
            time.sleep(0.05)

    def logs(self) -> list:
        """`(name, text)` of every part's log."""
        return [(part.name, "\n".join(part.log)) for part in self.parts]


@pytest.fixture(scope="session")
def service_directory():
    """A directory for the services of this test process; short, because unix sockets lie in it."""
    raise_file_limit()
    path = Path(tempfile.mkdtemp(prefix="parley-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(service_directory):
    server = Postgres(
        service_directory / "postgres",
        service_directory / "pg",
        port=free_port(),
        password=os.urandom(8).hex(),
        # Without fsync a killed process loses nothing, only a machine that stops would; commits are as strict as ever.
        options={"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"},
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(postgres):
    """Name of the migrated database that all others are copies of."""
    postgres.create_database(TEMPLATE)
    migrate(postgres.url(TEMPLATE))
    return TEMPLATE


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def new_database(postgres, template):
    names = []

    def create() -> str:
        names.append(f"test_{next(_numbers)}")
        postgres.create_database(names[-1], template)
        return postgres.url(names[-1])

    yield create
    for name in names:
        postgres.drop_database(name)


@pytest.fixture(scope="module")
def database(new_database):
    return new_database()


@pytest.fixture(scope="session")
def valkey(service_directory):
    server = Valkey(service_directory / "valkey", port=free_port())
    server.start()
    yield server
    server.stop()


def _clusters(service_directory, postgres, new_database):
    started = []

    def create(**options) -> Cluster:
        directory = service_directory / f"cluster_{next(_numbers)}"
        directory.mkdir()
        database = options.pop("database", None) or new_database()
        started.append(Cluster(directory, postgres, database, **options))
        return started[-1].start()

    yield create
    for cluster in started:
        cluster.stop()
        shutil.rmtree(cluster.directory, ignore_errors=True)


@pytest.fixture
def cluster(service_directory, postgres, new_database):
    yield from _clusters(service_directory, postgres, new_database)


@pytest.fixture(scope="module")
def module_cluster(service_directory, postgres, new_database):
    yield from _clusters(service_directory, postgres, new_database)


def chromium_path() -> str | None:
    """The Chromium or Chrome of this machine, for Playwright's `executable_path`; None where there is none.

    The one without windows first: the others draw their own toolbars even where nobody sees them.
    """
    return next(
        filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))),
        None,
    )


def chromium_arguments() -> list:
    """What it must be told here: as root it has no sandbox, and in containers /dev/shm is small."""
    return ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
