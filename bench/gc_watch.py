"""`python -m bench.gc_watch`: server.py, with every garbage collection that takes more than a millisecond noted in `GC_NOTES`."""

import gc
import os
import sys
import time

import server
from local.instance import Instance


class Watched(Instance):
    """An instance whose collections are noted, one line each: generation and milliseconds."""

    def command(self):
        return [self.build.python, "-m", "bench.gc_watch"]  # the build's own, with the build's server


def main() -> int:
    began = 0

    def note(phase, info):
        nonlocal began
        # The thread's own time: that of others on a busy machine is no pause of ours.
        if phase == "start":
            began = time.thread_time_ns()
        elif (took := time.thread_time_ns() - began) > 1_000_000:
            notes.write(f"{info['generation']} {took / 1e6:.1f}\n")

    with open(os.environ["GC_NOTES"], "a", buffering=1) as notes:
        gc.callbacks.append(note)
        try:
            return server.main([])
        finally:
            gc.callbacks.remove(note)


if __name__ == "__main__":
    sys.exit(main())
