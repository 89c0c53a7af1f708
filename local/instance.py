"""An instance of Parley as `python server.py` runs it, on a unix socket behind nginx or on a TCP port."""

import http.client
import json
import socket
from pathlib import Path

from local.builds import HERE, Build
from local.processes import Command, Process, inherited_environment

# What says who and where an instance is: never inherited from the one who starts it.
OWN = ("PORT", "HOST", "LISTEN", "WEB_CONCURRENCY", "INSTANCE_NAME", "DYNO", "DATABASE_URL", "REDIS_URL")


class Instance(Process):
    """One instance. `env` are further settings of it; `build` is whose code it runs, which may change between two starts."""

    stop_seconds = 25.0  # draining: DRAIN_SECONDS and a little

    def __init__(
        self,
        name,
        database_url,
        redis_url,
        *,
        socket_path: Path | None = None,
        port=None,
        env=None,
        build: Build = HERE,
        **rest,
    ):
        super().__init__(name, **rest)
        self.build = build
        self.socket_path, self.port = socket_path, port
        self.settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "INSTANCE_NAME": name, **(env or {})}

    @property
    def address(self) -> str:
        """What nginx calls it."""
        return f"unix:{self.socket_path}" if self.socket_path else f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its own address for clients, past nginx; only with a port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cwd(self) -> Path:
        return self.build.folder

    def command(self):
        return [self.build.python, self.build.server]

    def environment(self):
        if self.socket_path:
            listen = {"LISTEN": f"unix:{self.socket_path}"}
        else:
            listen = {"PORT": str(self.port), "HOST": "127.0.0.1"}
        return {**environment(self.build), **listen, **self.settings}

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path, timeout=5.0) -> tuple:
        """`(status, body)` of one GET to this instance; the body decoded if it is JSON."""
        connection = UnixConnection(self.socket_path, timeout) if self.socket_path else None
        return get(connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout), path)


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def get(connection, path) -> tuple:
    """`(status, body)` of one GET over a connection that is closed after it."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if "json" in response.headers.get("Content-Type", "") else body
    finally:
        connection.close()


def migrate(database_url, *, env=None, build: Build = HERE, **options):
    """Bring the database to this build's schema: `python server.py migrate`."""
    settings = {**environment(build), "DATABASE_URL": database_url, **(env or {})}
    Command("migrate", [build.python, build.server, "migrate"], env=settings, cwd=build.folder, **options).run()


def environment(build: Build) -> dict:
    """What a program of this build inherits from us. Another build must not find our modules where it has none."""
    ours = OWN if build is HERE else (*OWN, "PYTHONPATH", "PYTHONHOME")
    return {**inherited_environment(*ours), "PYTHONUNBUFFERED": "1"}
