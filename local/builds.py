"""The server of another commit beside this one: its files in a folder of its own, and a Python that has what it requires.

Nothing here touches the checkout. What was set up once is kept in `var/builds`, which may be deleted at any time.
"""

import fcntl
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.processes import ROOT, Trouble

BUILDS = ROOT / "var" / "builds"
REQUIREMENTS = "requirements.txt"
WITH_THE_BENCH = "requirements-bench.txt"  # asks for requirements.txt as well
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Build:
    """A server that can be run. `folder` has its `server.py`, `static` and `schema.sql`; `python` has what it requires."""

    name: str  # a short commit, or "this build"
    commit: str | None  # None: the working tree, whatever is in it
    folder: Path
    python: str

    @property
    def server(self) -> Path:
        return self.folder / "server.py"

    @property
    def static(self) -> Path:
        return self.folder / "static"


HERE = Build("this build", None, ROOT, sys.executable)


def commit_of(name: str, repository: Path = ROOT) -> str:
    """The 40 digits of a commit, a branch or a tag. Raises `Trouble`."""
    found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    if _git(repository, "rev-parse", "--git-dir").returncode != 0:
        why = "other commits can be had only in a clone of the repository, and git says: "
        raise Trouble(why + (_last_line(_git(repository, "rev-parse", "--git-dir").stderr) or "nothing"))
    if _git(repository, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        raise Trouble(f"this clone is shallow and has no commit {name!r}; fetch the history: git fetch --unshallow")
    raise Trouble(f"there is no commit {name!r} in this repository; if it is elsewhere, fetch it: git fetch --all")


def set_up(name: str, *, repository: Path = ROOT, builds: Path = BUILDS, say=print) -> Build:
    """The server of a commit, ready to run. `say(line)` hears what takes long. Raises `Trouble`.

    Several may set up the same commit at once: one does the work, the others wait for it. What was interrupted
    leaves nothing that looks finished.
    """
    commit = commit_of(name, repository)
    folder = builds / commit
    with _alone(builds):
        if not folder.exists():
            say(f"Setting up {commit[:7]} in {_shown(folder)}")
            with _finished_or_not_at_all(folder) as unfinished:
                _extract(repository, commit, unfinished)
        if not (folder / "server.py").exists():
            raise Trouble(f"{commit[:7]} has no server.py; it is no commit of Parley's server")
        return Build(commit[:7], commit, folder, _python(folder, builds, say))


def _extract(repository, commit, folder):
    archive = _git(repository, "archive", "--format=tar", commit)
    if archive.returncode != 0:
        raise Trouble(f"git archive {commit[:7]} failed: {_last_line(archive.stderr)}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        # The filter came with a patch release of each Python; without it the archive is as trusted as the checkout.
        files.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def _python(folder, builds, say) -> str:
    """The running Python where it has what the commit requires, so that both are compared on the same packages; or a venv."""
    wanted = (folder / REQUIREMENTS).read_text(encoding="utf-8")
    if wanted == (ROOT / REQUIREMENTS).read_text(encoding="utf-8") or _has(folder / REQUIREMENTS):
        return sys.executable
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("requirements*.txt"))]
    venv = builds / f"venv-{hashlib.sha256(''.join([sys.version, *texts]).encode()).hexdigest()[:16]}"
    python = venv / "bin" / "python"
    if not python.exists():
        shutil.rmtree(venv, ignore_errors=True)  # its Python was removed
        say(f"Installing what {folder.name[:7]} requires in {_shown(venv)}")
        with _finished_or_not_at_all(venv) as unfinished:
            _run(f"a virtual environment for {folder.name[:7]}", sys.executable, "-m", "venv", unfinished)
            requirements = folder / WITH_THE_BENCH
            pip = [unfinished / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            _run(
                f"pip install for {folder.name[:7]}",
                *(*pip, "-r", requirements if requirements.exists() else folder / REQUIREMENTS),
            )
    return str(python)


def _has(requirements) -> bool:
    """Whether the running Python satisfies these requirements. Pip decides, and with no index it finds nothing to install."""
    asked = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps", "-qq", "-r", requirements]
    return subprocess.run(asked, capture_output=True).returncode == 0


def _run(what, *command):
    done = subprocess.run([str(word) for word in command], capture_output=True)
    if done.returncode != 0:
        raise Trouble(f"{what} failed: {_last_line(done.stderr) or _last_line(done.stdout)}")


def _git(repository, *words):
    try:
        return subprocess.run(["git", "-C", str(repository), *words], capture_output=True)
    except FileNotFoundError:
        raise Trouble("another commit's server is taken from git, and there is no git on PATH; install it") from None


@contextmanager
def _alone(builds):
    """One process at a time. The kernel releases the lock of one that is killed."""
    builds.mkdir(parents=True, exist_ok=True)
    with (builds / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in builds.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextmanager
def _finished_or_not_at_all(folder):
    """A folder beside it, which gets its name when everything is in it."""
    unfinished = folder.with_name(UNFINISHED + folder.name)
    unfinished.mkdir()
    try:
        yield unfinished
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _shown(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
