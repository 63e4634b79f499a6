"""Passes and runs under faults: `python -m tools.chaos`.

Tries every fault many times at random moments, and writes the tables of docs/measured/reliability.md.
"""

from __future__ import annotations

import os
import sys
import time

from pedbench.report.words.text import table
from tools.chaos import passes as chaos_passes
from tools.chaos import runs as chaos_runs
from tools.chaos.tally import HEADERS, Tally, rows
from tools.documents.measured_blocks import measured


@measured("measured/reliability.md")
def main(tries: int = 510, runs: int = 3, seed: int = 0) -> dict[str, str]:
    """Cause faults, and count the results.

    Args:
        tries: Passes, over all faults.
        runs: Whole runs for each kind of trouble.
        seed: Seed of the moments and places.
    """
    # TLS errors about corrupted bytes are expected.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    bad, tables = [], {}
    for name, count, attempt in (("passes", tries, try_passes), ("runs", runs, try_runs)):
        if not count:
            continue
        began = time.monotonic()
        tallies = attempt(count, seed)
        bad += [each for tally in tallies for each in tally.bad]
        tables[f"chaos-{name}"] = described(tallies, seed, time.monotonic() - began)
    if bad:
        sys.exit("\n".join([*tables.values(), *bad]))
    return tables


def try_passes(tries: int, seed: int) -> list[Tally]:
    """Try passes with all faults in turn."""
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
    """Try runs with each kind of trouble."""
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
    """Tabulate tallies under a sentence about the tries."""
    return (
        f"{sum(tally.tries for tally in tallies)} tries, seed {seed}, in {seconds / 60:.0f} minutes.\n\n"
        f"{table(list(HEADERS), rows(tallies))}"
    )


if __name__ == "__main__":
    main()
