"""The other end of a load process: starts it, asks it, ends it."""

import json
import select
import subprocess

from local.builds import HERE, Build
from local.guard import guard
from local.instance import environment


class LoadError(Exception):
    """The load process could not do what it was asked for."""


class Load:
    """`with Load("sockets") as sockets: sockets("open", …)` answers what the process says.

    `build`: whose program it is; that of another build calls its own modules.
    """

    def __init__(self, name: str, build: Build = HERE):
        self._name, self._build = name, build

    def __enter__(self):
        # A session of its own, so that Ctrl-C reaches only us; the guard ends it if we are killed.
        self._popen = subprocess.Popen(
            [self._build.python, "-m", f"bench.load.{self._name}"],
            cwd=self._build.folder,
            env=environment(self._build),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        guard.watch(self.pid)
        return self

    def __exit__(self, *error):
        self._popen.kill()
        self._popen.wait()
        guard.forget(self.pid)
        for pipe in (self._popen.stdin, self._popen.stdout):
            pipe.close()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ask(self, do: str, **what):
        """Begin something; `answer()` waits for its end."""
        self._popen.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
        self._popen.stdin.flush()

    def answer(self, seconds: float) -> dict:
        """Raises `LoadError`."""
        ready, _, _ = select.select([self._popen.stdout], [], [], seconds)
        line = self._popen.stdout.readline() if ready else b""
        if not line:
            raise LoadError(f"the load process {self._name} does not answer")
        answer = json.loads(line)
        if "error" in answer:
            raise LoadError(answer["error"])
        return answer

    def __call__(self, do: str, **what) -> dict:
        self.ask(do, **what)
        return self.answer(what.get("seconds", 60.0) + 60)
