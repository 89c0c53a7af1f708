"""What processes have used: CPU seconds and memory, from the kernel."""

import contextlib
import time
from pathlib import Path

import psutil


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, that a process and its present descendants have used."""
    return sum(map(cpu_seconds_of, family(pid)))


def cpu_seconds_of(pid: int) -> float:
    """The same of a process alone; 0 where it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess, OSError):
        return _nanoseconds(pid) / 1e9
    return 0.0


def _nanoseconds(pid):
    threads = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if threads:  # to the nanosecond; what psutil reads comes in steps of ten milliseconds
        return sum(int(path.read_text().split()[0]) for path in threads)
    times = psutil.Process(pid).cpu_times()
    return (times.user + times.system) * 1e9


def user_and_kernel(pid: int) -> tuple[float, float]:
    """CPU seconds of a process alone, in its own code and in the kernel, in steps of ten milliseconds."""
    times = psutil.Process(pid).cpu_times()
    return times.user, times.system


def memory(pid: int) -> int:
    """Bytes of memory that are a process' own and would be free without it."""
    return psutil.Process(pid).memory_full_info().uss


class Meter:
    """CPU seconds of named processes between two moments: `with Meter(server=pid) as used: …`, then `used["server"]`."""

    def __init__(self, **pids: int):
        self._pids = pids
        self.seconds = 0.0  # on the clock
        self._used = {}

    def __enter__(self):
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        self._began = time.monotonic()
        return self

    def __exit__(self, *error):
        self.seconds = time.monotonic() - self._began
        self._used = {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}

    def __getitem__(self, name: str) -> float:
        return self._used[name]

    @property
    def total(self) -> float:
        return sum(self._used.values())
