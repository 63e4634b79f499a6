"""What becomes of passes and runs when something fails: `python -m tools.chaos`.

Tries every fault many times at moments that are drawn, and writes the tables of docs/measured/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from pedbench.report.words.text import table
from tools.chaos import passes as chaos_passes
from tools.chaos import runs as chaos_runs
from tools.chaos.tally import HEADERS, Tally, rows
from tools.pages.blocks import DOCS, replace_block

DOCUMENT = DOCS / "measured" / "reliability.md"


def main() -> None:
    """Read the command line, try and write."""
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description="Let things fail, and count.")
    parser.add_argument("--tries", type=int, default=510, help="passes, over all faults; 510 without it")
    parser.add_argument(
        "--runs", type=int, default=3, help="whole runs for each kind of trouble; 3 without it"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    given = parser.parse_args()
    # What TLS finds wrong with spoilt bytes is what is tried.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    bad = []
    for name, tries, attempt in (("passes", given.tries, try_passes), ("runs", given.runs, try_runs)):
        if not tries:
            continue
        began = time.monotonic()
        tallies = attempt(tries, given.seed)
        bad += [each for tally in tallies for each in tally.bad]
        said = described(tallies, given.seed, time.monotonic() - began)
        print(said, flush=True)
        if not bad:
            replace_block(DOCUMENT, f"chaos-{name}", said)
    if bad:
        sys.exit("\n".join(bad))


def try_passes(tries: int, seed: int) -> list[Tally]:
    """Tries of passes, all faults in turn."""
    passes = chaos_passes.Passes(seed)
    names = list(chaos_passes.KINDS)
    try:
        for number in range(tries):
            passes.attempt(names[number % len(names)])
            if number % 50 == 49:
                print(f"{number + 1} of {tries} passes", flush=True)
    finally:
        tallies = passes.close()
    return tallies


def try_runs(tries: int, seed: int) -> list[Tally]:
    """So many tries of each kind of trouble for runs."""
    runs = chaos_runs.Runs(seed)
    try:
        for number in range(tries):
            for name in chaos_runs.KINDS:
                runs.attempt(name)
            print(f"every kind of trouble for runs: {number + 1} of {tries}", flush=True)
    finally:
        tallies = runs.close()
    return tallies


def described(tallies: list[Tally], seed: int, seconds: float) -> str:
    """The table, and what it is of."""
    return (
        f"{sum(tally.tries for tally in tallies)} tries, seed {seed}, in {seconds / 60:.0f} minutes.\n\n"
        f"{table(list(HEADERS), rows(tallies))}"
    )


if __name__ == "__main__":
    main()
