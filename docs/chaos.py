"""What becomes of passes and runs when something fails: `python -m docs.chaos` in the checkout.

Tries every fault many times at moments that are drawn, and writes the table of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from docs import chaos_passes, chaos_runs
from docs.blocks import replace_block
from docs.chaos_tally import HEADERS, Tally, rows
from pedbench.report.text import table

DOCUMENT = Path(__file__).with_name("reliability.md")


def main() -> None:
    """Read the command line, try and write."""
    parser = argparse.ArgumentParser(prog="python -m docs.chaos", description="Let things fail, and count.")
    parser.add_argument("--tries", type=int, default=520, help="in all; 520 without it")
    parser.add_argument("--runs", type=int, default=3, help="of these, whole runs of each kind; 3 without it")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    given = parser.parse_args()
    began = time.monotonic()
    tallies = [*try_passes(given.tries - given.runs * len(chaos_runs.KINDS), given.seed)]
    tallies += try_runs(given.runs, given.seed)
    for line in rows(tallies):
        print(" | ".join(line))
    if bad := [each for tally in tallies for each in tally.bad]:
        sys.exit("\n".join(bad))
    replace_block(DOCUMENT, "chaos", described(tallies, given.seed, time.monotonic() - began))


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
    if not tries:
        return []
    runs = chaos_runs.Runs(seed)
    try:
        for _ in range(tries):
            for name in chaos_runs.KINDS:
                runs.attempt(name)
            print("all kinds of trouble for runs, once", flush=True)
    finally:
        tallies = runs.close()
    return tallies


def described(tallies: list[Tally], seed: int, seconds: float) -> str:
    """The table, and what it is of."""
    return (
        f"{sum(tally.tries for tally in tallies)} tries, seed {seed}, {seconds / 60:.0f} minutes; a call and a command "
        f"have {chaos_passes.DEADLINE:g} s.\n\n{table(list(HEADERS), rows(tallies))}"
    )


if __name__ == "__main__":
    main()
