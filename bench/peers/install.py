"""Installing the peers, once, into `var/bench`, which git ignores. What this machine cannot have is a reason, not an error."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from local.processes import ROOT

HERE = Path(__file__).parent
INTO = ROOT / "var" / "bench"
OLDEST_NODE = 20


class Missing(Exception):
    """A peer cannot be had here; the message says why."""


@cache
def node() -> Path:
    """The folder with the Node servers and their packages. Raises `Missing`."""
    program = shutil.which("node")
    npm = shutil.which("npm")
    if program is None or npm is None:
        raise Missing("Node and npm are not installed")
    if int(_output([program, "--version"]).lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise Missing(f"Node is older than {OLDEST_NODE}")
    folder = INTO / "node"
    folder.mkdir(parents=True, exist_ok=True)
    package = (HERE / "node" / "package.json").read_text()
    done = folder / "installed.json"
    if not done.exists() or done.read_text() != package:
        (folder / "package.json").write_text(package)
        _install("the Node peers", [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder])
        done.write_text(package)
    for source in (HERE / "node").glob("*.mjs"):
        shutil.copy(source, folder)  # Node looks for packages beside the file that asks for them
    return folder


@cache
def channels() -> Path:
    """The Python of an environment with Django Channels. Raises `Missing`."""
    folder, wanted = INTO / "channels", (HERE / "channels" / "requirements.txt").read_text()
    done = folder / "installed.txt"
    if not done.exists() or done.read_text() != wanted:
        _install("Django Channels", [sys.executable, "-m", "venv", folder])
        _install(
            "Django Channels",
            [
                folder / "bin" / "python",
                "-m",
                "pip",
                "install",
                "-qq",
                "--disable-pip-version-check",
                "-r",
                HERE / "channels" / "requirements.txt",
            ],
        )
        done.write_text(wanted)
    return folder / "bin" / "python"


@cache
def limit() -> Path:
    """The compiled `send.c`. Raises `Missing`."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Missing("there is no C compiler")
    INTO.mkdir(parents=True, exist_ok=True)
    _install("the C program", [compiler, "-O2", "-o", INTO / "send", HERE / "send.c"])
    return INTO / "send"


def versions() -> dict[str, str]:
    """What is installed, by name."""
    found = {}
    if (INTO / "node" / "installed.json").exists():
        names = (
            "ws",
            "socket.io",
            "@socket.io/redis-adapter",
            "graphql-ws",
            "graphql-redis-subscriptions",
            "graphql-http",
            "pg",
        )
        found["Node"] = _output([shutil.which("node"), "--version"])
        for name in names:
            package = (INTO / "node" / "node_modules" / name / "package.json").read_text()
            found[name] = package.split('"version": "')[1].split('"')[0]
    if (INTO / "channels" / "installed.txt").exists():
        listed = _output(
            [
                INTO / "channels" / "bin" / "python",
                "-m",
                "pip",
                "list",
                "--format",
                "freeze",
                "--disable-pip-version-check",
            ]
        )
        for line in listed.splitlines():
            name, _, version = line.partition("==")
            if name.lower() in ("channels", "channels_redis", "django", "uvicorn"):
                found[name] = version
    return found


def _install(what, command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{what} could not be installed: {said[-1] if said else 'no reason given'}")


def _output(command) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout.strip()
