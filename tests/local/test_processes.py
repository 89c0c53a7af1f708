"""The life of a child: ready, frozen, stopped, killed, and never alone."""

import subprocess
import sys
import time

import psutil
import pytest

from local.processes import ROOT, Command, Process, Trouble, free_port, is_gone, port_is_free

# A parent with a child in a session of its own, as PostgreSQL has; both live until they are ended.
FAMILY = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True); "
    "print(child.pid, flush=True); time.sleep(600)"
)


class Family(Process):
    def command(self):
        return [sys.executable, "-c", FAMILY]

    def ready(self):
        return bool(self.log)

    @property
    def child(self):
        return psutil.Process(int(self.log[0]))


@pytest.fixture
def family():
    process = Family("family")
    process.start()
    yield process
    process.kill()


def test_killing_it_kills_its_descendants(family):
    child = family.child
    family.kill()
    assert not family.alive and family.exit_status == -9
    assert is_gone(child)


def test_stopping_it_leaves_no_descendant_either(family):
    child = family.child
    family.stop()
    assert family.exit_status == -15
    assert is_gone(child)


def test_freezing_stops_all_of_it_and_thawing_lets_it_go_on(family):
    def states():
        return {psutil.Process(family.pid).status(), family.child.status()}

    family.freeze()
    wait_for(lambda: states() == {psutil.STATUS_STOPPED})
    family.thaw()
    wait_for(lambda: psutil.STATUS_STOPPED not in states())


def test_a_frozen_process_can_be_stopped(family):
    family.freeze()
    family.stop()
    assert family.exit_status == -15


def test_it_can_be_started_again(family):
    first = family.pid
    family.kill()
    family.start()
    assert family.alive and family.pid != first


def test_one_that_ends_instead_of_getting_ready_says_why():
    class Broken(Process):
        def command(self):
            return [sys.executable, "-c", "print('the last line'); raise SystemExit(3)"]

        def ready(self):
            return False

    process = Broken("broken")
    with pytest.raises(Trouble, match="^broken did not start: the last line$"):
        process.start()
    assert process.exit_status == 3


def test_one_that_never_gets_ready_is_killed():
    class Slow(Family):
        ready_seconds = 0.2

        def ready(self):
            return False

    process = Slow("slow")
    with pytest.raises(Trouble, match="^slow was not ready within 0.2 seconds"):
        process.start()
    assert not process.alive


def test_one_that_ignores_sigterm_is_killed_in_time():
    class Deaf(Process):
        stop_seconds = 0.2

        def command(self):
            code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
            return [sys.executable, "-c", code]

        def ready(self):
            return bool(self.log)

    process = Deaf("deaf")
    process.start()
    process.stop()
    assert process.exit_status == -9


def test_a_command_that_fails_says_so():
    with pytest.raises(Trouble, match="^step failed: no$"):
        Command("step", [sys.executable, "-c", "print('no'); raise SystemExit(1)"]).run()


def test_a_command_that_ends_well_between_two_looks_is_done():
    step = Command("step", [sys.executable, "-c", "print('well')"])
    step.start(wait=False)

    def done():
        status = step.exit_status
        wait_for(lambda: not step.alive)
        return status == 0

    step.until(done, 10, "done")


def test_the_children_of_a_killed_process_are_ended_by_the_guard():
    code = (
        "import sys, time; sys.path.insert(0, ''); from tests.local.test_processes import Family; "
        "f = Family('family'); f.start(); print(f.pid, f.child.pid, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    family = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(family) == 2
    owner.kill()
    owner.wait()
    wait_for(lambda: all(map(is_gone, family)))
    owner.stdout.close()


def test_a_free_port_is_outside_the_range_of_outgoing_connections():
    port = free_port()
    assert port < 32_768
    assert port_is_free("127.0.0.1", port)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
