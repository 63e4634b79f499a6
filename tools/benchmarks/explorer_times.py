"""Measure how soon the explorer answers: `python -m tools.benchmarks.explorer_times`, with Debian's chromium.

Times end when a person sees the result in the browser. Writes them into docs/measured/performance.md. The host must be
quiet.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from pedbench.report.words.text import table
from tests.chromium import chromium, resized
from tests.explore.started_explorer import started, text, until
from tools.documents.measured_blocks import measured

SCENES = (2, 3, 4, 5, 6, 7, 8)
"""Tiles that are clicked in turn, counted from 1; the first one is open at the start."""

_GUESS = "return document.querySelector('.guessed img')?.src ?? ''"


def settled(browser: Any, before: str) -> bool:
    """Return whether another guess than before is shown, with its numbers."""
    return browser.execute_script(_GUESS) not in {"", before} and "RMSE" in text(browser, ".numbers")


@measured("measured/performance.md", "explorer")
def main() -> str:
    """Start the explorer, open its page, and change the scene several times."""
    with chromium() as browser:
        resized(browser, 1400, 900)
        began = time.perf_counter()
        with started(Path(tempfile.mkdtemp())) as running:
            address = time.perf_counter() - began
            browser.get(running.address)
            until(lambda: len(browser.find_elements("css selector", ".tile")) == len(SCENES) + 1)
            page = time.perf_counter() - began
            until(lambda: settled(browser, ""))
            first = time.perf_counter() - began
            passes = []
            for scene in SCENES:
                before = browser.execute_script(_GUESS)
                clicked = time.perf_counter()
                browser.find_elements("css selector", ".tile")[scene - 1].click()
                until(lambda: settled(browser, before))  # noqa: B023
                passes.append(time.perf_counter() - clicked)
    lines = [
        ["from the command to its address", f"{address:.1f}"],
        ["from the command to the page, in a browser that is open", f"{page:.1f}"],
        ["from the command to the first pass, its masks and guesses", f"{first:.1f}"],
        ["from a click on a scene to its pass, masks and floors, median", f"{statistics.median(passes):.2f}"],
        ["the slowest of these", f"{max(passes):.2f}"],
    ]
    return table(["explorer, `ped_sam` with three servers", "s"], lines)


if __name__ == "__main__":
    main()
