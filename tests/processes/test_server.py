"""`python server.py` as an operator has it: commands, refusals in one line, several processes on one port, another history."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import psycopg2
import pytest

from local.instance import OWN, Instance
from local.processes import ROOT, free_port, inherited_environment
from tests.client import NO_ANSWER, User, request, until


def server(*words, seconds=20, **environment) -> subprocess.CompletedProcess:
    """Run `python server.py` with these words to its end."""
    environment = {**inherited_environment(*OWN), **environment}
    return subprocess.run(
        [sys.executable, "server.py", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def refusal(done) -> str:
    """The one line with which it refused."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("parley: ")
    return line


def execute(url, sql):
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
    finally:
        connection.close()


@pytest.fixture
def instance(database, valkey):
    """`instance(**env)` → an `Instance` that is not started yet."""
    started = []

    def create(name="web.1", **env):
        started.append(
            Instance(name, database, valkey.url, port=free_port(), env={"DRAIN_SECONDS": "3", "SIGN_UP": "open", **env})
        )
        return started[-1]

    yield create
    for one in started:
        one.kill()


# Refusals


def test_what_is_wrong_with_its_settings_is_told_in_one_line(database):
    assert "DATABASE_URL is not set" in refusal(server())
    assert "Unknown command 'fly'" in refusal(server("fly", DATABASE_URL=database))
    assert "PORT must be a" in refusal(server(DATABASE_URL=database, PORT="eighty"))
    assert "LISTEN must be unix:/path" in refusal(server(DATABASE_URL=database, LISTEN="8000"))
    assert "PostgreSQL" in refusal(server("migrate", DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none"))
    assert "LOUD" in refusal(server(DATABASE_URL=database, LOG_LEVEL="LOUD"))


def test_a_taken_port_is_told_in_one_line(database, instance):
    first = instance()
    first.start()
    assert f"port {first.port}" in refusal(server(DATABASE_URL=database, PORT=str(first.port), HOST="127.0.0.1"))


def test_a_schema_that_it_does_not_know_is_told_in_one_line(postgres, new_database):
    postgres.create_database("empty")
    try:
        line = refusal(server(DATABASE_URL=postgres.url("empty"), PORT=str(free_port())))
        assert "Run: python server.py migrate" in line
        url = new_database()
        execute(url, "update parley set schema_version = 99, compatible_from = 99")
        assert "newer than this code" in refusal(server(DATABASE_URL=url, PORT=str(free_port())))
        assert "newer than this code" in refusal(server("migrate", DATABASE_URL=url))
        both = server(DATABASE_URL=url, PORT=str(free_port()), WEB_CONCURRENCY="2")
        assert both.returncode == 1
        assert {line.partition(".")[0] for line in both.stderr.splitlines()} == {
            "parley: The database's schema is newer than this code"
        }
    finally:
        postgres.drop_database("empty")


def test_migrating_again_and_from_two_places_at_once_changes_nothing(postgres):
    postgres.create_database("migrated")
    try:
        url = postgres.url("migrated")
        environment = {**inherited_environment(*OWN), "DATABASE_URL": url}
        command = [sys.executable, "server.py", "migrate"]
        both = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        said = [process.communicate(timeout=30)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        execute(
            url,
            "insert into users (username, display_name, password_hash, created_at) values ('ann', 'Ann', '', now())",
        )
        again = server("migrate", DATABASE_URL=url)
        assert [again.returncode, again.stdout] == [0, said[0]]
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("select username from users")
            assert cursor.fetchall() == [("ann",)]
    finally:
        postgres.drop_database("migrated")


@pytest.mark.gen_test
async def test_it_waits_for_its_database_and_can_be_stopped_while_it_does(postgres, instance):
    waiting, stopped = instance(), instance("web.2")
    await asyncio.to_thread(postgres.kill)
    for one in (waiting, stopped):
        one.start(wait=False)
    try:
        await until(
            lambda: all("waiting for PostgreSQL" in "\n".join(one.log) for one in (waiting, stopped)), 10, "it says so"
        )
        with pytest.raises(ConnectionRefusedError):
            await request(waiting.url, "GET", "/healthz")  # and a proxy goes on to the next
        stopped.terminate()
        await until(lambda: not stopped.alive, 5, "it stops")
        assert stopped.exit_status == 0
        assert waiting.alive
    finally:
        await asyncio.to_thread(postgres.start)
    await until(lambda: asyncio.to_thread(waiting.ready), 5, "ready")


# Accounts


@pytest.mark.gen_test
async def test_an_operator_gives_a_new_password_and_the_server_another_owner(instance, database):
    parley = instance()
    await asyncio.to_thread(parley.start)
    _, ben = [await User.sign_up(parley.url, name) for name in ("first", "Ben")]
    stream = ben.stream()
    try:
        await stream.open(parley.url)
        await stream.until_synced()
        reset = await asyncio.to_thread(server, "reset-password", "bEN", DATABASE_URL=database)
        assert reset.returncode == 0
        await stream.until_closed(4401, 5)
    finally:
        await stream.close()
    ben.password = reset.stdout.split(" is ")[1].split(". ")[0]
    ben = await ben.sign_in()
    assert not (await ben.get("/api/me"))["isOwner"]
    assert (await asyncio.to_thread(server, "make-owner", "ben", DATABASE_URL=database)).returncode == 0
    assert (await (await ben.sign_in()).get("/api/me"))["isOwner"]
    for words in (("reset-password", "nobody"), ("make-owner", "nobody")):
        assert "no account 'nobody'" in refusal(await asyncio.to_thread(server, *words, DATABASE_URL=database))
    assert "by username" in refusal(await asyncio.to_thread(server, "make-owner", DATABASE_URL=database))


# Several processes on one port


async def names(url, count) -> set:
    """Names of the instances that answer there, once there are so many."""
    found = set()

    async def ask():
        health = (await request(url, "GET", "/healthz")).body
        found.add(health["delivery"]["instance"])
        return len(found) == count

    await until(ask, 10, f"{count} instances")
    return found


@pytest.mark.gen_test(timeout=60)
async def test_two_processes_share_a_port_and_a_killed_one_is_replaced_and_sigterm_ends_all(instance):
    parent = instance(WEB_CONCURRENCY="2", INSTANCE_NAME="web.7")
    await asyncio.to_thread(parent.start)
    assert await names(parent.url, 2) == {"web.7-1", "web.7-2"}
    ann, ben = await User.sign_up(parent.url), await User.sign_up(parent.url)
    chat = await ann.group(ben)
    streams = [ben.stream() for _ in range(6)]
    for stream in streams:
        stream.stay(parent.url)
        await stream.until_synced()
    try:
        children = psutil.Process(parent.pid).children()
        assert len(children) == 2
        victim = children[0]
        victim.send_signal(signal.SIGKILL)
        await until(
            lambda: len([c for c in psutil.Process(parent.pid).children() if c.pid != victim.pid]) == 2, 5, "replaced"
        )
        sent = await ann.insist("POST", f"/api/chats/{chat}/messages", {"content": "Still here"})
        for stream in streams:
            await stream.until_at(chat, sent.seq)
        assert await names(parent.url, 2) == {"web.7-1", "web.7-2"}
        assert f"ended with -{signal.SIGKILL.value}" in "\n".join(parent.log)

        children = psutil.Process(parent.pid).children()
        parent.terminate()
        await until(lambda: not parent.alive, 15, "the end of all")
        assert parent.exit_status == 0
        assert not any(child.is_running() for child in children)
        assert all(stream.of_type("draining") for stream in streams)
    finally:
        for stream in streams:
            await stream.close()


FAILS_ONCE = """
import os, signal, sys, time
from pathlib import Path
from server import Processes

def run(number):
    mark = Path(sys.argv[1])
    if not mark.exists():
        mark.touch()
        raise RuntimeError("what went wrong")
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(10)

sys.exit(Processes(1, [], run).run())
"""


def test_a_process_that_fails_says_why_and_is_replaced(tmp_path):
    command = [sys.executable, "-c", FAILS_ONCE, tmp_path / "failed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert "RuntimeError: what went wrong" in done.stderr
    assert "process 1 ended with 70; it is replaced" in done.stderr
    assert done.returncode == 1  # the second was ended by the signal


@pytest.mark.gen_test
async def test_while_several_processes_stop_their_port_refuses(instance):
    """Nobody may wait in the queue of a port at which nobody will ask any more."""
    parent = instance(WEB_CONCURRENCY="2", DRAIN_SECONDS="10", LOCK_SECONDS="10")
    await asyncio.to_thread(parent.start)
    ann = await User.sign_up(parent.url)
    chat = await ann.group()
    holding = psycopg2.connect(parent.settings["DATABASE_URL"])
    try:
        with holding.cursor() as cursor:
            cursor.execute("select from chats where id = %s for update", [chat])
            asked = asyncio.ensure_future(ann.request("POST", f"/api/chats/{chat}/messages", {"content": "Wait"}))
            await until(lambda: _waits(parent.settings["DATABASE_URL"]), 5, "the message waits")
        parent.terminate()
        await until(lambda: _refuses(parent.url), 3, "refused")
        assert parent.alive
    finally:
        holding.close()
    assert (await asked).status == 201
    await until(lambda: not parent.alive, 5)
    assert parent.exit_status == 0


def _waits(url):
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        return cursor.fetchone()[0] == 1


async def _refuses(url):
    try:
        await request(url, "GET", "/readyz", seconds=0.5)
    except ConnectionRefusedError:
        return True
    except NO_ANSWER:
        pass
    return False


@pytest.mark.gen_test
async def test_on_a_unix_socket_it_serves_and_leaves_room_for_its_successor(database, valkey, service_directory):
    path = service_directory / "server.sock"
    for _ in range(2):
        one = Instance("web.1", database, valkey.url, socket_path=path, env={"DRAIN_SECONDS": "1"})
        await asyncio.to_thread(one.start)
        assert one.get("/healthz")[0] == 200
        assert os.stat(path).st_mode & 0o777 == 0o666
        await asyncio.to_thread(one.stop)
        assert one.exit_status == 0


# Another history


@pytest.mark.gen_test
async def test_after_a_new_epoch_running_instances_notice_and_every_cursor_is_void(database, instance):
    both = [instance(), instance("web.2")]
    for one in both:
        await asyncio.to_thread(one.start)
    ann, ben = await User.sign_up(both[0].url), await User.sign_up(both[0].url)
    chat = await ann.group(ben)
    await ann.send(chat, "before")
    streams = [user.stream().stay(one.url) for user in (ann, ben) for one in both]
    poll = ben.poll()
    try:
        for stream in streams:
            await stream.until_synced()
        await poll.sync()
        old = streams[0].epoch
        done = await asyncio.to_thread(server, "new-epoch", DATABASE_URL=database)
        assert done.returncode == 0
        begun = time.monotonic()
        for stream in streams:
            await stream.until(lambda s=stream: s.epoch != old and s.synced, 8, "synced in the new epoch")
            assert stream.epoch in done.stdout
            assert {"type": "reset", "chatId": chat, "head": 2, "reason": "epoch"} in stream.resets
            assert stream.close_code in (1012, None)
        assert time.monotonic() - begun < 5
        await poll.sync()
        assert [frame["reason"] for frame in poll.resets] == ["epoch"]
        message = await ann.send(chat, "after", at=both[1].url)
        for stream in streams:
            await stream.until_at(chat, message["seq"], 1)
    finally:
        for stream in streams:
            await stream.close()
