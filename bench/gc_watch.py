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
        return [sys.executable, "-m", "bench.gc_watch"]


def main() -> int:
    notes = open(os.environ["GC_NOTES"], "a", buffering=1)
    began = 0

    def note(phase, info):
        nonlocal began
        if phase == "start":
            began = time.perf_counter_ns()
        elif (took := time.perf_counter_ns() - began) > 1_000_000:
            notes.write(f"{info['generation']} {took / 1e6:.1f}\n")

    gc.callbacks.append(note)
    return server.main([])


if __name__ == "__main__":
    sys.exit(main())
