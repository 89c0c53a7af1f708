"""Another commit's server: set up whole or not at all, beside a checkout that stays as it is, and with modules of its own."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from local import builds
from local.instance import Instance
from local.processes import ROOT, Trouble, free_port

SERVER = """
import chat, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{chat.AGE} {os.getcwd()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def git(folder, *words):
    name = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", folder, *name, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with two commits of a server, `old` and `new`, and in its checkout something that is in neither."""
    folder = tmp_path / "repository"
    (folder / "chat").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text((ROOT / "requirements.txt").read_text())
    for age in ("old", "new"):
        (folder / "chat" / "__init__.py").write_text(f"AGE = {age!r}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", age)
        git(folder, "tag", age)
    (folder / "chat" / "__init__.py").write_text("AGE = 'not committed'\n")
    return folder


@pytest.fixture
def set_up(repository, tmp_path):
    said = []

    def make(name):
        return builds.set_up(name, repository=repository, builds=tmp_path / "builds", say=said.append)

    make.said = said
    return make


def test_a_commit_is_set_up_without_touching_the_checkout(set_up, repository):
    build = set_up("old")
    assert build.commit == git(repository, "rev-parse", "old") and build.name == build.commit[:7]
    assert (build.folder / "chat" / "__init__.py").read_text() == "AGE = 'old'\n"
    assert git(repository, "status", "--short") == "M chat/__init__.py"
    assert git(repository, "worktree", "list").count("\n") == 0


def test_what_is_set_up_is_kept(set_up):
    first, before = set_up("old"), len(set_up.said)
    (first.folder / "mark").touch()
    assert set_up("old") == first and (first.folder / "mark").exists()
    assert len(set_up.said) == before


def test_the_running_python_is_taken_where_it_has_what_the_commit_requires(set_up):
    assert set_up("old").python == sys.executable


def test_of_two_at_once_one_does_the_work_and_the_other_waits_for_it(set_up, monkeypatch):
    extract, extracting, ended, found = builds._extract, threading.Event(), threading.Event(), []

    def slow(repository, commit, folder):
        extracting.set()
        # What must not happen: that the other gets through, or fails, while nothing is there yet.
        assert not ended.wait(0.5)
        extract(repository, commit, folder)

    def other():
        try:
            found.append(set_up("old"))
        finally:
            ended.set()

    monkeypatch.setattr(builds, "_extract", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(set_up, "old")
        assert extracting.wait(10)
        monkeypatch.setattr(builds, "_extract", None)  # the other has nothing to extract
        pool.submit(other).result(10)
        assert found == [first.result()]
    assert len([line for line in set_up.said if "Setting up" in line]) == 1


def test_what_was_interrupted_is_begun_again(set_up, repository, tmp_path):
    left = tmp_path / "builds" / f"{builds.UNFINISHED}{git(repository, 'rev-parse', 'old')}"
    left.mkdir(parents=True)
    (left / "half").touch()
    assert not (set_up("old").folder / "half").exists()
    assert not left.exists()


def test_an_interruption_leaves_nothing_that_looks_finished(set_up, tmp_path, monkeypatch):
    def interrupted(repository, commit, folder):
        (folder / "server.py").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(builds, "_extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        set_up("old")
    assert [path.name for path in (tmp_path / "builds").iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["unheard-of", "--all", "0123456"])
def test_an_unknown_commit_is_named(set_up, name):
    with pytest.raises(Trouble, match=f"no commit '{name}' in this repository"):
        set_up(name)


def test_a_shallow_clone_is_told_how_to_have_the_history(repository, tmp_path):
    old = git(repository, "rev-parse", "old")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(Trouble, match="git fetch --unshallow"):
        builds.set_up(old, repository=tmp_path / "shallow", builds=tmp_path / "builds")


def test_a_folder_that_is_no_clone_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Trouble, match="only in a clone"):
        builds.set_up("old", repository=tmp_path, builds=tmp_path / "builds")


def test_a_commit_without_a_server_says_so(set_up, repository):
    git(repository, "rm", "-q", "-f", "server.py")
    git(repository, "commit", "-q", "-m", "no server")
    with pytest.raises(Trouble, match=r"has no server\.py"):
        set_up("HEAD")


def test_a_requirement_that_cannot_be_had_is_named_and_leaves_no_environment(set_up, repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (repository / "requirements.txt").write_text("no-such-package>=99\n")
    git(repository, "commit", "-q", "-a", "-m", "another requirement")
    with pytest.raises(Trouble, match="pip install for .* failed: .*no-such-package"):
        set_up("HEAD")
    assert not list((tmp_path / "builds").glob("*venv*"))


def test_an_instance_of_it_runs_in_its_folder_with_its_own_modules(set_up, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    build = set_up("old")
    instance = Instance("web.1", "", "", port=free_port(), build=build)
    try:
        instance.start()
        assert instance.get("/")[1].decode() == f"old {build.folder}"
        instance.kill()
        instance.build = set_up("new")
        instance.start()
        assert instance.get("/")[1].decode() == f"new {instance.build.folder}"
    finally:
        instance.kill()
