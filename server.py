"""Entry point of an instance: settings → services → application → listen; drain on SIGTERM. And the operator's commands."""

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress

import psycopg2
from tornado.netutil import bind_sockets, bind_unix_socket

import settings
from chat import event_log, operations
from chat.accounts import Accounts
from chat.operator_commands import make_owner, reset_password
from chat.sign_in_attempts import AttemptLimits
from errors import ParleyError, Unavailable
from handlers.application import Services, make_application
from realtime.gc_policy import GcPolicy
from realtime.limits import Limits
from realtime.node import Node
from realtime.transport import io_uring
from store.database import Database, new_epoch
from store.migrations import MigrationFailed, UnknownSchema, migrate
from web.server import Server
from workers import worker
from workers.workers import Workers

log = logging.getLogger("parley")

# Bytes of a body that are taken before the handlers answer 413 themselves; beyond it, the rest is not read.
REQUEST_CEILING = 1024 * 1024
START_SECONDS = 60  # an instance may start before its database
HOUSEKEEPING_SECONDS = 3600
CRASHED = 70  # exit status of a process that failed; 1 is that of one that cannot start
QUIET_SECONDS = 0.3  # without a request, until a draining instance takes it that no more will come


class StartError(Exception):
    """The instance cannot start; the message is for the operator."""


def main(arguments: list[str]) -> int:
    try:
        configuration = settings.load()
        if not configuration.database_url:
            raise StartError("DATABASE_URL is not set. Give a PostgreSQL URL, or use `make run`, which brings its own.")
        command = arguments[0] if arguments else "serve"
        logging.basicConfig(
            level=configuration.log_level.upper(), format="%(levelname).1s %(name)s %(message)s", stream=sys.stdout
        )
        if command == "migrate":
            print(f"The schema is at version {migrate(configuration.database_url)}.")
        elif command == "new-epoch":
            print(f"The new epoch is {new_epoch(configuration.database_url)}.")
        elif command == "reset-password":
            password = reset_password(configuration.database_url, username(arguments))
            print(f"The new password of {arguments[1]} is {password}. All sessions of the account have ended.")
        elif command == "make-owner":
            make_owner(configuration.database_url, username(arguments))
            print(f"{arguments[1]} owns the server now.")
        elif command == "serve":
            return serve(configuration)
        else:
            raise StartError(
                f"Unknown command {command!r}. There are: serve (the default), migrate, new-epoch, reset-password, make-owner."
            )
        return 0
    except (StartError, settings.SettingError, UnknownSchema, MigrationFailed, ValueError) as error:
        complain(error)
    except psycopg2.Error as error:
        complain(f"PostgreSQL: {' '.join(str(error).split())}")
    return 1


def username(arguments) -> str:
    """Whom a command is about. Raises `StartError`."""
    if len(arguments) != 2:
        raise StartError(f"Say whose, by username: python server.py {arguments[0]} anna")
    return arguments[1]


def complain(why):
    """One line for the operator, in one write: several processes may say theirs at once."""
    sys.stderr.write(f"parley: {why}\n")


def serve(configuration) -> int:
    """Run one instance, or as many as `WEB_CONCURRENCY` says on one port, until SIGTERM or SIGINT."""
    name = configuration.instance_name or os.environ.get("DYNO") or "web.1"
    if configuration.web_concurrency <= 1:
        # Not before it can answer: a proxy goes on to the next instance while this one waits for its database.
        return asyncio.run(Instance(configuration, name, lambda: listen(configuration)).run())
    sockets = listen(configuration)
    return Processes(
        configuration.web_concurrency,
        sockets,
        lambda number: asyncio.run(Instance(configuration, f"{name}-{number}", lambda: sockets).run()),
    ).run()


def listen(configuration) -> list:
    """The listening sockets. Raises `StartError` where the address is taken."""
    try:
        if not configuration.listen:
            return bind_sockets(configuration.port, configuration.host or None, backlog=1024)
        if not configuration.listen.startswith("unix:"):
            raise StartError("LISTEN must be unix:/path. For TCP, leave it empty and set PORT.")
        return [bind_unix_socket(configuration.listen.removeprefix("unix:"), mode=0o666, backlog=1024)]
    except OSError as error:
        raise StartError(
            f"Cannot listen on {configuration.listen or f'port {configuration.port}'}: {error.strerror}. "
            "Choose another with PORT or LISTEN."
        ) from error


def limits(kind, configuration):
    """The settings that a part of the server has for limits, as its dataclass."""
    return kind(**{field: getattr(configuration, field) for field in kind.__dataclass_fields__})


class Instance:
    """One server process: its services, from start to drain. `listen()` answers its listening sockets."""

    def __init__(self, configuration, name: str, listen):
        self._configuration = configuration
        self._name = name
        self._listen = listen
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        self._on_signals()
        configuration = self._configuration
        db = self._database(configuration.database_pool)
        # Of their own, so that sending always finds a free one, and to be told apart in pg_stat_activity.
        workers_db = self._database(configuration.workers_at_once, " workers")
        await db.open()
        await workers_db.open()
        accounts = Accounts(
            db,
            AttemptLimits(
                configuration.sign_in_attempts_per_account,
                configuration.sign_in_attempts_per_address,
                configuration.sign_in_window_seconds,
            ),
            days=configuration.session_days,
            open=configuration.sign_up == "open",
        )
        node = Node(
            db,
            configuration.redis_url,
            self._name,
            limits(Limits, configuration),
            verify_tls=configuration.redis_tls_verify,
            demo=configuration.demo,
        )
        workers = Workers(workers_db, limits(worker.Limits, configuration))
        node.on_commit = workers.committed
        try:
            await self._start(db, node)
            if self._stopping.is_set():
                return 0
            workers.start()
            services = Services(configuration, db, accounts, node)
            server = Server(
                make_application(services),
                idle_seconds=configuration.idle_connection_seconds,
                max_body_bytes=REQUEST_CEILING,
            )
            server.add_sockets(self._listen())
            housekeeping = asyncio.ensure_future(self._keep_house(db, accounts, configuration.keep_events_days))
            self._use_io_uring(node)
            garbage = GcPolicy(node.hub)
            garbage.start()
            freezing = asyncio.ensure_future(garbage.run())
            log.info("%s: ready on %s", self._name, configuration.listen or f"port {configuration.port}")
            await self._stopping.wait()
            housekeeping.cancel()
            freezing.cancel()
            await self._drain(server, services)
        except StartError as error:
            complain(error)
            return 1
        finally:
            await workers.stop(configuration.drain_seconds / 8)
            await node.stop()
            accounts.close()
            await workers_db.close()
            await db.close()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(
                    number, signal.SIG_IGN
                )  # it is ending; one that meets the closed loop would print a traceback
        log.info("%s: stopped", self._name)
        return 0

    def _database(self, connections, part=""):
        configuration = self._configuration
        return Database(
            configuration.database_url,
            size=connections,
            seconds=configuration.database_seconds,
            lock_seconds=configuration.lock_seconds,
            name=f"parley {self._name}{part}",
        )

    def _use_io_uring(self, node):
        """Have broadcasts sent by io_uring, if it can be had."""
        if self._configuration.io_uring:
            try:
                node.write_queue.io_uring = io_uring.IoUring()
            except io_uring.Unavailable as why:
                log.info("%s: io_uring is not used: %s", self._name, why)

    def _on_signals(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

    async def _start(self, db, node):
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while not self._stopping.is_set():
            try:
                await db.check_schema()
                await node.start()
                return
            except UnknownSchema as error:
                raise StartError(str(error)) from None
            except Unavailable as error:
                if loop.time() > deadline:
                    raise StartError(f"PostgreSQL does not answer: {error.why}") from None
                log.warning("%s: waiting for PostgreSQL: %s", self._name, error.why)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), 1)

    async def _drain(self, server, services):
        """Take no new connections, send the sockets elsewhere, finish what is under way; all within DRAIN_SECONDS."""
        seconds, node, loop = self._configuration.drain_seconds, services.node, asyncio.get_running_loop()
        deadline = loop.time() + 3 / 4 * seconds
        log.info("%s: draining %d sockets", self._name, len(node.hub.clients))
        node.draining = True
        server.stop()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(node.drain(seconds / 2), seconds / 2 + 1)
        # Requests go on coming by the connections that a proxy has open; each answer asks it to close one of them.
        quiet_since = loop.time()
        while loop.time() < min(deadline, quiet_since + QUIET_SECONDS):
            if services.under_way:
                quiet_since = loop.time()
            await asyncio.sleep(0.02)
        server.close_all_connections()

    @staticmethod
    async def _keep_house(db, accounts, days):
        """Forget old events, sessions and attempts, now and every hour; every instance may, and more than one does no harm."""
        while True:
            try:
                while await event_log.prune(db, days):
                    await asyncio.sleep(1)
                await operations.forget(db, days)
                await accounts.forget_old()
            except ParleyError as error:
                log.warning("housekeeping: %s", getattr(error, "why", error))
            await asyncio.sleep(HOUSEKEEPING_SECONDS)


class Processes:
    """`count` processes of one program on the same listening sockets; a parent that passes signals on and replaces what dies."""

    def __init__(self, count: int, sockets: list, run):
        self._count = count
        self._sockets = sockets
        self._run = run
        self._children: dict[int, tuple[int, float]] = {}  # pid → number, monotonic time of its start
        self._stopping = False

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for number in range(1, self._count + 1):
            self._fork(number)
        worst = 0
        while self._children:
            try:
                pid, status = os.wait()
            except InterruptedError:
                continue
            (number, started), code = self._children.pop(pid), os.waitstatus_to_exitcode(status)
            if self._stopping:
                worst = max(worst, abs(code))
            elif code == 1:
                self._stop()  # it could not start, and said why: another try would say the same
                worst = 1
            else:
                log.error("process %d ended with %d; it is replaced", number, code)
                time.sleep(
                    max(0.0, started + 1 - time.monotonic())
                )  # one that dies at once must not take the processor
                if not self._stopping:
                    self._fork(number)
        return min(worst, 1)

    def _fork(self, number):
        pid = os.fork()
        if pid:
            self._children[pid] = number, time.monotonic()
            return
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        code = CRASHED
        try:
            code = self._run(number)
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            log.exception("process %d failed", number)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _stop(self, *_):
        self._stopping = True
        for listening in self._sockets:
            listening.close()  # each process has its own; in this one, clients would queue for nobody
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
