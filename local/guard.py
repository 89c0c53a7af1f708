"""The guard: a tiny process that ends our children when we are killed and cannot.

It holds the reading end of a pipe whose writing end only we hold, and is told on it which children live. When we
end, however that happens, it reads the end of the file and kills those that are left. (Linux could signal children by
itself, with PR_SET_PDEATHSIG, but does so when the starting *thread* ends, and macOS has nothing of the kind.)
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading


class Guard:
    """Our side of the pipe. The process is started with the first child."""

    def __init__(self):
        self._popen = None
        self._lock = threading.Lock()

    def watch(self, pid: int):
        """Kill this process, and what it started, when we are gone."""
        with self._lock:
            if self._popen is None:
                self._popen = subprocess.Popen(
                    [sys.executable, "-I", __file__], stdin=subprocess.PIPE, start_new_session=True
                )
                atexit.register(self.close)
            self._tell(f"+{pid}\n")

    def forget(self, pid: int):
        """This process has ended by itself; its id may soon be somebody else's."""
        with self._lock:
            self._tell(f"-{pid}\n")

    def close(self):
        """End the guard, and whatever it still watches, and wait for it."""
        with self._lock:
            if self._popen is not None:
                self._popen.stdin.close()
                self._popen.wait()
                self._popen = None

    def _tell(self, line: str):
        if self._popen is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._popen.stdin.fileno(), line.encode())


guard = Guard()


def main():
    # Ctrl-C and a polite kill are for the one who is guarded.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched = set()
    for line in sys.stdin:
        (watched.add if line[0] == "+" else watched.discard)(int(line[1:]))
    for pid in watched:
        kill_with_descendants(pid)


def kill_with_descendants(pid: int):
    import psutil  # here, because it is needed only at the end of a bad day

    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.suspend()
        for member in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()


if __name__ == "__main__":
    main()
