"""`make bench`: every case, or one; the table; and, after all of them, docs/benchmarks.md. Or this build against another one.

python -m bench.run [--case NAME[,NAME]] [--against COMMIT]
"""

import argparse
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from bench import report
from bench.cases import BETWEEN, CASES
from bench.conditions import conditions
from bench.stage import Stage
from local import builds
from local.guard import guard
from local.processes import ROOT, Trouble

TEMPLATE = Path(__file__).with_name("benchmarks.md.template")
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--case", default="", help="one, or some with commas between them; then docs/benchmarks.md stays as it is"
    )
    parser.add_argument(
        "--against",
        metavar="COMMIT",
        help="compare with the server of this commit, both in turn; docs/benchmarks.md stays as it is",
    )
    given = parser.parse_args()
    cases = BETWEEN if given.against else CASES
    chosen = given.case.split(",") if given.case else list(cases)
    if unknown := set(chosen) - set(cases):
        which = "no such case" if unknown - set(CASES) else "not a case that compares builds"
        parser.error(f"{which}: {min(unknown - set(CASES) or unknown)}. There are {', '.join(cases)}.")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    rows, load, began = [], os.getloadavg()[0], time.monotonic()
    try:
        with Stage(builds.set_up(given.against) if given.against else None) as stage:
            for name in chosen:
                rows += run(name, cases[name], stage.sides if given.against else stage.ours)
    except Trouble as trouble:
        print(f"make bench: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make bench: stopped", file=sys.stderr)
        return 130
    finally:
        guard.close()
    print(f"{report.summary(rows)}, in {(time.monotonic() - began) / 60:.1f} minutes")
    if given.against:
        print(f"\n{report.table(rows)}")
    elif not given.case:
        PAGE.write_text(report.page(TEMPLATE.read_text(), rows, conditions("make bench", load)))
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def run(name: str, case, on) -> list[report.Row]:
    """The rows of one case on a `Side`, or on two, printed as they come. What fails is a row."""
    rows, began = [], time.monotonic()
    print(f"{name}:", flush=True)
    try:
        for row in case(on):
            rows.append(row)
            print(report.terminal(row), flush=True)
    except Exception as error:
        traceback.print_exc()
        rows.append(report.not_run(name, "the rest of the case", f"{type(error).__name__}: {error}"))
        print(report.terminal(rows[-1]), flush=True)
    print(f"         ({time.monotonic() - began:.0f} s)", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
