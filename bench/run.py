"""`make bench`: every case, or one; the table; and docs/benchmarks.md.

    python -m bench.run [--case NAME[,NAME]] [--write]
"""

import argparse
import signal
import sys
import time
import traceback

from bench import report
from bench.cases import CASES
from bench.stage import Stage
from local.guard import guard
from local.processes import Trouble


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--case", default="", help="one, or some with commas between them")
    given = parser.parse_args()
    chosen = given.case.split(",") if given.case else list(CASES)
    if unknown := set(chosen) - set(CASES):
        parser.error(f"no such case: {min(unknown)}. There are {', '.join(CASES)}.")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    rows = []
    try:
        with Stage() as stage:
            for name in chosen:
                rows += run(name, stage)
    except Trouble as trouble:
        print(f"make bench: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make bench: stopped", file=sys.stderr)
        return 130
    finally:
        guard.close()
    print(report.summary(rows))
    return 0


def run(name: str, stage) -> list[report.Row]:
    """The rows of one case, printed as they come. What fails is a row."""
    rows, began = [], time.monotonic()
    print(f"{name}:", flush=True)
    try:
        for row in CASES[name](stage):
            rows.append(row)
            print(report.terminal(row), flush=True)
    except Exception as error:
        traceback.print_exc()
        rows.append(report.not_run(name, "the rest of the case", f"{type(error).__name__}: {error}"))
    print(f"         ({time.monotonic() - began:.0f} s)", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
