"""The links between the parts: their process (`proxy` says what a link can suffer) and the rig's word to it."""

import json
import socket
import sys
from pathlib import Path

from local.processes import Process


class Links(Process):
    """The links' process, and the rig's word to it."""

    def __init__(self, path: Path):
        super().__init__("links")
        self._path = path
        self._lines = None

    def prepare(self):
        self._path.unlink(missing_ok=True)
        self._lines = None

    def command(self):
        return [sys.executable, "-m", "faults.proxy", self._path]

    def ready(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._path)) == 0

    def add(self, name: str, port: int) -> int:
        """A link to a port of this machine; the port to use instead."""
        return self._say({"do": "add", "name": name, "target": ["127.0.0.1", port]})

    def set(self, names, mode: str, rate: int = 0):
        self._say({"do": "set", "names": list(names), "mode": mode, "rate": rate})

    def half_open(self, names, side: str):
        self._say({"do": "half-open", "names": list(names), "side": side})

    def counts(self) -> dict:
        """Per link: bytes `swallowed`, connections `broken` and `half-open`."""
        return self._say({"do": "counts"})

    def _say(self, command):
        if self._lines is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(5)
            connection.connect(str(self._path))
            self._lines = connection.makefile("rw")
        self._lines.write(json.dumps(command) + "\n")
        self._lines.flush()
        return json.loads(self._lines.readline())["is"]
