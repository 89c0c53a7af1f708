"""PostgreSQL from its wheel: a data directory, a server on a unix socket (on TCP for tests), databases in it."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import psutil
import psycopg2
from psycopg2 import sql

from local import binaries, unprivileged
from local.processes import POLL_SECONDS, Command, Process, Trouble, is_gone

SUPERUSER = "postgres"
SOCKET_PORT = 5432  # names the socket file even where TCP is off


class Postgres(Process):
    """One server. Started again, it has the same data at the same address.

    `socket_dir` is for its socket alone; it is created. With `port`, it also listens on loopback and wants `password`.
    `options` are settings of postgresql.conf.
    """

    stop_signal = signal.SIGINT  # PostgreSQL's "fast" shutdown: no waiting for clients
    ready_seconds = 60.0  # after a crash it replays its log first

    def __init__(self, data: Path, socket_dir: Path, *, port=None, password=None, options=(), name="postgres", **rest):
        super().__init__(name, **rest)
        self.data, self.socket_dir, self.port, self._password = Path(data), Path(socket_dir), port, password
        self._options = dict(options)

    # Addresses

    def url(self, database=SUPERUSER) -> str:
        """A URL for `DATABASE_URL`: over TCP where there is a port, over the unix socket otherwise."""
        if self.port:
            return f"postgresql://{SUPERUSER}:{quote(self._password, safe='')}@127.0.0.1:{self.port}/{quote(database)}"
        return self._socket_url(database)

    def _socket_url(self, database=SUPERUSER):
        where = urlencode({"host": self.socket_dir, "port": self.port or SOCKET_PORT})
        return f"postgresql://{SUPERUSER}@/{quote(database)}?{where}"

    # Databases

    def databases(self) -> set:
        """Names of the databases there are."""
        with self._session() as cursor:
            cursor.execute("select datname from pg_database")
            return {name for (name,) in cursor.fetchall()}

    def create_database(self, name, template="template1"):
        """Create a database as a copy of `template`, to which nobody may be connected."""
        with self._session() as cursor:
            statement = sql.SQL("create database {} template {}")
            cursor.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name):
        """Drop a database, and whoever is connected to it."""
        with self._session() as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def _session(self):
        connection = psycopg2.connect(self._socket_url(), connect_timeout=5)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    # Life

    def prepare(self):
        self._account = account_for(self.data)
        own_directory(self.socket_dir, self._account)
        if not (self.data / "PG_VERSION").exists():
            self._create_data()
        self._check_version()
        self._wait_for_predecessor()

    def command(self):
        options = {
            "listen_addresses": "127.0.0.1" if self.port else "",
            "port": self.port or SOCKET_PORT,
            "unix_socket_directories": self.socket_dir,
            "max_connections": 200,
            **self._options,
        }
        words = [self._program("postgres"), "-D", self.data]
        for name, value in options.items():
            words += ["-c", f"{name}={value}"]
        return as_account(self._account, words)

    def ready(self):
        # Asked by its file first: each connection that comes too early would be a FATAL line in the log.
        if not self._says_ready():
            return False
        try:
            with self._session() as cursor:
                if self._password:
                    cursor.execute(f"alter role {SUPERUSER} password %s", [self._password])
        except psycopg2.OperationalError:
            return False
        return True

    def explain(self):
        """The last line in which PostgreSQL says why it stops."""
        reasons = [re.sub(r"^.*?(FATAL|PANIC):\s*", "", line) for line in self.log if re.search("FATAL|PANIC", line)]
        return reasons[-1] if reasons else super().explain()

    def _says_ready(self):
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and int(lines[0]) == self.pid and lines[7].strip() == "ready"

    def _program(self, name):
        return binaries.find("postgres").parent / name

    def _create_data(self):
        # Beside its final place: an initdb that was interrupted leaves nothing that looks like data.
        new = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        if self.data.is_dir() and any(self.data.iterdir()):
            raise Trouble(f"{self.data} is not empty and holds no PostgreSQL data; move it away and try again")
        own_directory(new, self._account)
        initdb = [
            self._program("initdb"), "-D", new, "--username", SUPERUSER, "--encoding", "UTF8",
            # The same order and case rules on every machine, whatever locales it has.
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C",
            # Who reaches the socket in its closed directory may come in; TCP wants the password.
            "--auth-local", "trust", "--auth-host", "scram-sha-256",
        ]  # fmt: skip
        if self._options.get("fsync") == "off":
            initdb.append("--no-sync")
        Command("initdb", as_account(self._account, initdb), cancelled=self._cancelled).run()
        if self.data.is_dir():
            self.data.rmdir()
        new.rename(self.data)

    def _check_version(self):
        there = (self.data / "PG_VERSION").read_text().strip()
        output = subprocess.run([self._program("postgres"), "--version"], capture_output=True, text=True).stdout
        ours = re.search(r"\d+", output).group()
        if there != ours:
            raise Trouble(
                f"{self.data} was made by PostgreSQL {there}, and this is PostgreSQL {ours}. To start empty, move it"
                f" away: mv {self.data} {self.data}.{there} (to keep it, dump it with {there} and load it into {ours})"
            )

    def _wait_for_predecessor(self):
        """A server whose owner was killed is on its way out; another's server is not, and then we must not start."""
        lock = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(lock.read_text().splitlines()[0]))
            if str(self.data) not in process.cmdline():
                lock.unlink()  # left by a crash, and the number is somebody else's by now
                return
        except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
            return
        deadline = time.monotonic() + 5
        while not is_gone(process):
            if time.monotonic() > deadline:
                raise Trouble(f"another PostgreSQL uses {self.data}; stop it: kill -INT {process.pid}")
            time.sleep(POLL_SECONDS)


def account_for(data: Path):
    """Whom to run as where we are root, which PostgreSQL refuses: the data's owner, or `nobody`. None: as we are."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def as_account(account, words: list) -> list:
    """The command line that runs `words` as that user."""
    return [sys.executable, "-I", unprivileged.__file__, *account, *words] if account else words


def own_directory(path: Path, account):
    """Create the directory, for its owner's eyes only."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        if account:
            os.chown(path, *account)
    except PermissionError:
        raise Trouble(f"{path} is not yours to write; run this as its owner, or chown it to yourself") from None
