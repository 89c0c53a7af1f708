"""A child process from its start until nothing of it is left; what it runs and when it is ready, its subclasses say."""

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

import psutil

from local.guard import guard

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.02
FILES = 65_536


class Trouble(Exception):
    """A part cannot run; the message is one line that says what is wrong and what to do."""


class Cancelled(Exception):
    """Whoever waited for a part does not want it any more (Ctrl-C during the start)."""


class Process:
    """One child with its log.

    A subclass gives `command()` and, where it has to, `prepare()`, `environment()`, `ready()` and `explain()`. Every
    child has a session of its own, so that Ctrl-C in the terminal reaches only us, and we end the parts in order. The
    guard ends it even if we are killed.
    """

    failure = "did not start"
    cwd = ROOT  # the directory that it is started in
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0
    ready_seconds = 30.0

    def __init__(self, name, *, on_line=None, cancelled=None):
        """`on_line(name, text)` hears every log line, in a thread; waiting ends as soon as `cancelled()` is true."""
        self.name = name
        self.log = deque(maxlen=5000)
        self._on_line = on_line
        self._cancelled = cancelled or (lambda: False)
        self._popen = None
        self._reader = None

    # What a subclass says

    def command(self) -> list:
        raise NotImplementedError

    def prepare(self):
        """What must be there before the process starts."""

    def environment(self) -> dict | None:
        """The environment of the process; None for ours."""

    def ready(self) -> bool:
        """Whether it does its work now; asked again and again."""
        return True

    def explain(self) -> str:
        """Why it ended, from its log: the last line, where nobody knows better."""
        return self.log[-1] if self.log else "it said nothing"

    # Life

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs and before it ever did."""
        return self._popen.poll() if self._popen else None

    def start(self, wait=True):
        """Start it and, with `wait`, return once it is ready. Raises `Trouble`, and then nothing of it is left."""
        if self.alive:
            return
        self._collect()
        self.prepare()
        self.log.clear()
        self._popen = subprocess.Popen(
            [str(word) for word in self.command()],
            cwd=self.cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        guard.watch(self.pid)
        self._reader = threading.Thread(target=self._read, args=(self._popen.stdout,), daemon=True)
        self._reader.start()
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self):
        """Return once it is ready; if it does not get there it is killed, and `Trouble` says why."""
        try:
            self.until(self.ready, self.ready_seconds, "ready")
        except BaseException:
            self.kill()
            raise

    def until(self, condition, seconds, what):
        """Poll `condition` for at most `seconds`; raises `Trouble` when time is up or the process has ended."""
        deadline = time.monotonic() + seconds
        while True:
            alive = self.alive  # asked first: the condition may be that it has ended well
            if condition():
                return
            if self._cancelled():
                raise Cancelled
            if not alive:
                self._collect()
                raise Trouble(f"{self.name} {self.failure}: {self.explain()}")
            if time.monotonic() > deadline:
                raise Trouble(f"{self.name} was not {what} within {seconds:g} seconds: {self.explain()}")
            time.sleep(POLL_SECONDS)

    # Ends

    def terminate(self):
        """Ask it to end in good order, and do not wait."""
        if self.alive:
            self.thaw()
            self._popen.send_signal(self.stop_signal)

    def stop(self):
        """End it in good order, or by force if that takes longer than `stop_seconds`."""
        if self.alive:
            family = self._family()
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(self.stop_seconds)
            self._kill(family)
        self.kill()

    def kill(self):
        """`kill -9` to it and to all its descendants at once, as a power cut would."""
        if self.alive:
            # Stopped first, so that it cannot fork a child that we would not see.
            self._popen.send_signal(signal.SIGSTOP)
            self._kill(self._family())
        self._collect()

    def freeze(self):
        """Stop it and its descendants where they are: still connected, but silent."""
        self._signal(self._family(), signal.SIGSTOP)

    def thaw(self):
        """Let it go on after `freeze()`."""
        self._signal(self._family(), signal.SIGCONT)

    def _family(self) -> list:
        """It and all its descendants; PostgreSQL's have process groups of their own, so the group is not enough."""
        if not self.alive:
            return []
        process = psutil.Process(self.pid)
        return [process, *process.children(recursive=True)]

    def _signal(self, family, number):
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _kill(self, family):
        self._signal(family, signal.SIGKILL)
        self._popen.wait()
        deadline = time.monotonic() + 5
        while not all(map(is_gone, family)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _collect(self):
        """After its end: the rest of the log, and nothing for the guard to do."""
        if self._reader is not None:
            self._popen.wait()
            self._reader.join(timeout=2)
            self._reader = None
            guard.forget(self.pid)

    def _read(self, stream):
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                self.log.append(text)
                if self._on_line:
                    self._on_line(self.name, text)


class Command(Process):
    """A process that does one thing and ends, such as `initdb` or `server.py migrate`."""

    failure = "failed"

    def __init__(self, name, command, *, env=None, cwd=ROOT, **options):
        super().__init__(name, **options)
        self._command, self._env, self.cwd = command, env, cwd

    def command(self):
        return self._command

    def environment(self):
        return self._env

    def run(self, seconds=60.0):
        """Run it to its end. Raises `Trouble` if that is not a success."""
        self.start(wait=False)
        try:
            self.until(lambda: self.exit_status == 0, seconds, "done")
        finally:
            self.kill()


def is_gone(process: psutil.Process) -> bool:
    """Whether it runs no more. Orphans in a container may stay zombies for long, where nobody asks for their status."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def free_port() -> int:
    """A TCP port that nobody listens on now.

    Taken from below the range that the kernel gives to outgoing connections: one of those could otherwise sit on the
    port when a stopped service wants it back.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        if port_is_free("127.0.0.1", port):
            return port


def port_is_free(host, port) -> bool:
    """Whether a server could listen there; raises `PermissionError` where only root may."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: a port whose old connections are still winding up is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def raise_file_limit():
    """Let our children have as many files and sockets as we may give them; shells often say 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def inherited_environment(*without) -> dict:
    """Our environment for a child, less the variables named."""
    return {name: value for name, value in os.environ.items() if name not in without}
