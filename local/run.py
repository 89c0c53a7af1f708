"""`make run`: a whole Parley on this machine. Starts every part in order, keeps them going, stops them in order.

The environment may say PORT (8000; 0 takes a free one), HOST (127.0.0.1), INSTANCES (2) and VAR_DIR (var), and
everything in settings.py.
"""

import fcntl
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import settings
from local.guard import guard
from local.instance import Instance, migrate
from local.nginx import Nginx
from local.output import Output
from local.postgres import Postgres
from local.processes import ROOT, Cancelled, Trouble, free_port, port_is_free, raise_file_limit
from local.valkey import Valkey

DATABASE = "parley"
LONGEST_SOCKET = len("/postgres/.s.PGSQL.5432")
LONGEST_SOCKET_PATH = 100  # 108 bytes on Linux, 104 on macOS, both with an end mark
# Here all instances stop at once, so there is nowhere to spread the clients to.
DRAIN_SECONDS = "3"


class Options:
    """What the environment says about this run. Raises `Trouble` where it says something that cannot be."""

    def __init__(self, environ):
        try:
            pool = settings.load(environ).database_pool
        except settings.SettingError as error:
            raise Trouble(str(error)) from None
        self.host = environ.get("HOST") or "127.0.0.1"
        self.port = _number(environ, "PORT", 8000) or free_port()
        self.instances = _number(environ, "INSTANCES", 2)
        self.var = Path(environ.get("VAR_DIR") or ROOT / "var").resolve()
        if not 1 <= self.instances <= 64:
            raise Trouble(f"INSTANCES must be from 1 to 64, not {self.instances}")
        self.connections = self.instances * (pool + 2) + 50  # and some for psql, migrations and PostgreSQL itself


class Run:
    """The parts of one `make run`, from the first start to the last end."""

    def __init__(self, options: Options):
        names = [f"web.{n}" for n in range(1, options.instances + 1)]
        self.options = options
        self.output = Output(["parley", "initdb", "postgres", "valkey", "migrate", "nginx", *names])
        self.signals = 0
        self.revivals = {}
        self.sockets = socket_directory(options.var)
        talk = {"on_line": self.output.line, "cancelled": lambda: self.signals > 0}
        self.talk = talk
        self.postgres = Postgres(
            options.var / "postgres",
            self.sockets / "postgres",
            # The printer says when; a checkpoint is no news.
            options={"log_line_prefix": "", "log_checkpoints": "off", "max_connections": options.connections},
            **talk,
        )
        self.valkey = Valkey(options.var / "valkey", socket_path=self.sockets / "valkey.sock", **talk)
        # Whoever tries it out signs up in two browsers, and nobody else comes to this address.
        env = {
            "TRUST_PROXY": "true",
            "SIGN_UP": os.environ.get("SIGN_UP") or "open",
            "DEMO": os.environ.get("DEMO") or "true",
            "DRAIN_SECONDS": os.environ.get("DRAIN_SECONDS") or DRAIN_SECONDS,
        }
        self.instances = [
            Instance(
                name,
                self.postgres.url(DATABASE),
                self.valkey.url,
                socket_path=self.sockets / f"{name}.sock",
                env=env,
                **talk,
            )
            for name in names
        ]
        servers = [instance.address for instance in self.instances]
        self.nginx = Nginx(options.var / "nginx", options.port, servers, host=options.host, **talk)

    @property
    def parts(self) -> list:
        return [self.postgres, self.valkey, *self.instances, self.nginx]

    def on_signal(self, number, frame):
        """The first asks for an orderly stop, one more for an immediate one."""
        self.signals += 1

    def say(self, text):
        self.output.line("parley", text)

    def start(self):
        """Start every part, each when what it needs is ready. Raises `Trouble` or `Cancelled`."""
        require_port(self.options)
        self.postgres.start()
        if DATABASE not in self.postgres.databases():
            self.postgres.create_database(DATABASE)
        self.valkey.start()
        migrate(self.postgres.url(DATABASE), **self.talk)
        for instance in self.instances:
            instance.start(wait=False)
        for instance in self.instances:
            instance.wait_until_ready()
        self.nginx.start()

    def watch(self):
        """Until somebody asks us to stop, start again whatever has died."""
        while not self.signals and not self.output.closed:
            for part in self.parts:
                if not part.alive:
                    self.revive(part)
            time.sleep(0.2)

    def revive(self, part):
        """Start a dead part again: at once the first time, then after 1, 2, 4 … 10 seconds while it keeps dying."""
        now = time.monotonic()
        tries, due = self.revivals.get(part, (0, 0.0))
        if now < due:
            return
        if now > due + 30:
            tries = 0
        self.revivals[part] = (tries + 1, now + min(2**tries, 10))
        self.say(f"{part.name} ended ({how_it_ended(part)}); starting it again")
        try:
            # The instances can wait for their services by themselves, and we watch on meanwhile.
            part.start(wait=not isinstance(part, Instance))
        except Trouble as trouble:
            self.say(str(trouble))
        except Cancelled:
            pass

    def stop(self):
        """End every part in order, the last started first. Nothing of them is left after it."""
        asked = self.signals
        running = [part for part in self.parts if part.alive]
        if running:
            self.say("Stopping (Ctrl-C again: at once)")
        # nginx takes no new clients from here on, but those that it has hear the instances' farewell.
        self.nginx.stop_signal = signal.SIGQUIT
        self.nginx.terminate()
        for group in (self.instances, [self.nginx], [self.valkey], [self.postgres]):
            for part in group:
                part.terminate()
            deadline = time.monotonic() + max(part.stop_seconds for part in group)
            while any(part.alive for part in group) and time.monotonic() < deadline and self.signals == asked:
                time.sleep(0.02)
            for part in group:
                if part.alive and self.signals == asked:
                    self.say(f"{part.name} takes too long to stop; killing it")
                part.kill()
        if self.sockets.parent != self.options.var:
            shutil.rmtree(self.sockets, ignore_errors=True)
        if running:
            self.say("Stopped")


class Lock:
    """Held while a `make run` uses this var directory; the kernel lets go of it however we end."""

    def __init__(self, var: Path):
        var.mkdir(parents=True, exist_ok=True)
        self._file = (var / "run.lock").open("a+")

    def take(self, note: str):
        """Raises `Trouble` with the holder's note if somebody has it."""
        self._file.seek(0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"Parley is already running from this directory: {self._file.read().strip()}") from None
        self._file.truncate()
        self._file.write(note)
        self._file.flush()


def socket_directory(var: Path) -> Path:
    """Where the unix sockets go: `var/run`, or a temporary directory where that is too long or strange for a socket."""
    path = var / "run"
    if len(str(path)) + LONGEST_SOCKET <= LONGEST_SOCKET_PATH and re.fullmatch(r"[\w./+-]+", str(path), re.ASCII):
        path.mkdir(parents=True, exist_ok=True)
    else:
        path = Path(tempfile.mkdtemp(prefix="parley-", dir="/tmp"))
    # Traversable, because PostgreSQL's part of it belongs to another user where we are root; its parts are closed.
    path.chmod(0o711)
    return path


def require_port(options):
    """Raises `Trouble` unless nginx could listen on the port."""
    try:
        if port_is_free(options.host, options.port):
            return
    except PermissionError:
        raise Trouble(f"Port {options.port} is reserved for root. Choose another one: PORT=8000 make run") from None
    raise Trouble(f"Port {options.port} is in use. Choose another one: PORT={options.port + 1} make run")


def how_it_ended(part) -> str:
    status = part.exit_status
    if status is None:
        return "it did not start"
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _number(environ, name, default) -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit():
        raise Trouble(f"{name} must be a number, not {text!r}")
    return int(text)


def main() -> int:
    try:
        raise_file_limit()
        options = Options(os.environ)
        lock = Lock(options.var)
        address = f"http://{options.host}:{options.port}"
        lock.take(f"{address} (process {os.getpid()}; stop it with Ctrl-C there, or: kill {os.getpid()})")
        return serve(Run(options))
    except Trouble as trouble:
        print(f"make run: {trouble}", file=sys.stderr, flush=True)
        return 1
    except OSError as error:
        print(f"make run: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        guard.close()


def serve(run: Run) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, run.on_signal)
    try:
        run.start()
        instances = f"{len(run.instances)} instance{'s' if len(run.instances) > 1 else ''}"
        run.say(f"Parley is at {run.nginx.url} ({instances}; data in {run.options.var}; Ctrl-C stops it)")
        run.watch()
    except Cancelled:
        pass
    finally:
        run.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
