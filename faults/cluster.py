"""A whole Parley with a link wherever two parts speak: clients → nginx, instances → PostgreSQL, instances → Valkey.

nginx reaches the instances over unix sockets, as in production. Every part can be killed, frozen and started again.
"""

import http.client
import os
import shutil
import subprocess
import sys
from pathlib import Path

from faults.links import Links
from local import binaries
from local.builds import HERE
from local.instance import Instance
from local.nginx import Nginx
from local.postgres import Postgres
from local.processes import free_port
from local.valkey import Valkey

PREPARED = "prepared"  # the database that every trial begins with a copy of
SETTINGS = {
    "LOG_LEVEL": "WARNING",
    "SIGN_UP": "open",
    "SIGN_IN_ATTEMPTS_PER_ADDRESS": "1000000",
    "SIGN_IN_ATTEMPTS_PER_ACCOUNT": "1000000",
}
INSTANCES = 4
MOST_CONNECTIONS = 60


class Server(Instance):
    """An instance, perhaps patched (`faults/mutants.py`), perhaps with a false clock."""

    patch = None

    def command(self):
        return [self.build.python, "-m", "faults.mutants", self.patch] if self.patch else super().command()

    def ready(self):
        try:
            return self.get("/readyz", timeout=1.0)[0] == 200
        except (OSError, http.client.HTTPException, ValueError):
            return False


def postgres(directory: Path, socket_dir: Path) -> Postgres:
    """The rig's PostgreSQL. Without fsync a killed process loses nothing, only a machine that stops would."""
    return Postgres(
        directory,
        socket_dir,
        port=free_port(),
        password=os.urandom(8).hex(),
        options={
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "128MB",
            "max_connections": MOST_CONNECTIONS,
            "min_wal_size": "32MB",
            "max_wal_size": "128MB",
            "log_min_messages": "fatal",
        },
    )


class Cluster:
    def __init__(
        self,
        directory: Path,
        database: Postgres,
        name: str,
        *,
        instances=INSTANCES,
        clients=60,
        mutant=None,
        build=HERE,
    ):
        """`build` is whose instances it begins with."""
        self.directory, self.postgres, self.database = directory, database, name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)
        self.valkey = Valkey(directory / "valkey", port=free_port())
        self.links = Links(directory / "links.sock")
        self.names = [f"web.{number}" for number in range(1, instances + 1)]
        self.instances: list[Server] = []
        self.mutant, self._build = mutant, build
        self.client_ports: list[int] = []
        self._clients = clients
        self.nginx = None

    @property
    def parts(self) -> list:
        return [part for part in (self.links, self.valkey, *self.instances, self.nginx) if part is not None]

    def instance(self, name: str) -> Server:
        return self.instances[self.names.index(name)]

    def start(self):
        self.links.start()
        self.valkey.start()
        port = free_port()
        self.client_ports = [self.links.add(f"client.{number}", port) for number in range(self._clients)]
        for name in self.names:
            database = self._through(self.links.add(f"database.{name}", self.postgres.port))
            redis = f"redis://127.0.0.1:{self.links.add(f'redis.{name}', self.valkey.port)}/0"
            server = Server(
                name, database, redis, socket_path=self.directory / f"{name}.sock", env=SETTINGS, build=self._build
            )
            server.patch = self.mutant
            server.start(wait=False)
            self.instances.append(server)
        for server in self.instances:
            server.wait_until_ready()
        self.nginx = Nginx(self.directory / "nginx", port, [server.address for server in self.instances])
        self.nginx.start()

    def stop(self):
        for part in reversed(self.parts):
            part.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def heal(self):
        """Everything runs and every link passes."""
        self.links.set([f"client.{number}" for number in range(self._clients)], "pass")
        for name in self.names:
            self.links.set([f"database.{name}", f"redis.{name}"], "pass")
        for part in (self.postgres, *self.parts):
            part.thaw()
        for part in (self.postgres, *self.parts):
            if not part.alive:
                part.start(wait=not isinstance(part, Server))
        for server in self.instances:
            server.wait_until_ready()

    def _through(self, port):
        return self.postgres.url(self.database).replace(f":{self.postgres.port}/", f":{port}/")

    @property
    def direct_url(self) -> str:
        """The database past the links."""
        return self.postgres.url(self.database)

    # The database as a whole

    def dump(self) -> Path:
        """An old dump, for `restore`."""
        path = self.directory / "dump.sql"
        with path.open("wb") as file:
            subprocess.run([_program("pg_dump"), "-Fc", self.direct_url], stdout=file, check=True)
        return path

    def restore(self, path: Path):
        """What an operator does: instances off, the old dump in, a new epoch."""
        for server in self.instances:
            server.kill()
        self.postgres.drop_database(self.database)
        self.postgres.create_database(self.database)
        subprocess.run([_program("pg_restore"), "-d", self.direct_url, path], check=True)
        environment = {**os.environ, "DATABASE_URL": self.direct_url}
        subprocess.run(
            [sys.executable, "server.py", "new-epoch"], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        for server in self.instances:
            server.start(wait=False)


def _program(name):
    return binaries.find("postgres").parent / name
