"""On what machine and with what versions the figures were measured."""

import os
import platform
import subprocess
from datetime import date
from importlib import metadata
from pathlib import Path

from bench.peers import install
from local import binaries

OURS = ("tornado", "aiopg", "redis", "hiredis", "orjson")


def conditions(command: str, load_before: float) -> dict[str, str]:
    """By name, for docs/benchmarks.md. `load_before` is the machine's load average when the run began."""
    return {
        "date": date.today().isoformat(),
        "command": f"`{command}`",
        "machine": f"{os.cpu_count()} processors ({_processor()}), {_memory()} of memory, {platform.system()} {platform.release()}, loopback only; "
        f"load average before the run {load_before:.1f}",
        "Parley": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {metadata.version(name)}" for name in OURS)
        + "; as shipped, but for MUTATIONS_PER_SECOND, which would hold the load back",
        "services": f"{_version('postgres', '--version')}, {_version('valkey-server', '--version')}, {_version('nginx', '-v')}",
        "peers": ", ".join(f"{name} {version}" for name, version in install.versions().items()) or "none",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _version(program, option) -> str:
    done = subprocess.run([binaries.find(program), option], capture_output=True, text=True)
    words = (done.stdout or done.stderr).split()
    return next(
        (
            f"{program.removesuffix('-server')} {word.strip('v=()').rpartition('/')[2].removeprefix('v=')}"
            for word in words
            if any(letter.isdigit() for letter in word)
        ),
        program,
    )
