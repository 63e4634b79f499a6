"""Energy of the edge from the power rails that a Jetson's `tegrastats` reports."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pedbench.offload.passes.run_pass import Pass

_INTERVAL_MS = 50
_RAIL = re.compile(r"(?<!\S)([A-Z][A-Z0-9_]*) (\d+)(?:mW)?/\d+(?:mW)?(?!\S)")

Reading = tuple[float, Mapping[str, int]]
"""Seconds on the monotonic clock, and milliwatts by rail."""


def parse_tegrastats(line: str) -> dict[str, int]:
    """Return milliwatts by rail, as of now, from one line of `tegrastats`.

    Examples:
        >>> parse_tegrastats("RAM 2448/7620MB (lfb 4x4MB) CPU [2%@729,off] VDD_IN 4123mW/4098mW VDD_SOC 1142mW/1142mW")
        {'VDD_IN': 4123, 'VDD_SOC': 1142}
        >>> parse_tegrastats("RAM 903/3964MB IRAM 0/252kB(lfb 252kB) POM_5V_IN 2532/2532 POM_5V_GPU 40/40")
        {'POM_5V_IN': 2532, 'POM_5V_GPU': 40}
    """
    return {name: int(now) for name, now in _RAIL.findall(line)}


def energy(readings: Sequence[Reading], start: float, stop: float) -> dict[str, float]:
    """Return joules by rail: mean power over an interval times its length.

    Args:
        readings: In the order of time; where none lies in the interval, the nearest one stands for it.
        start: Seconds on the monotonic clock.
        stop: Likewise.
    """
    if not readings:
        return {}
    middle = (start + stop) / 2
    inside = [rails for moment, rails in readings if start <= moment <= stop]
    inside = inside or [min(readings, key=lambda reading: abs(reading[0] - middle))[1]]
    return {
        name: sum(rails.get(name, 0) for rails in inside) / len(inside) / 1000 * (stop - start)
        for name in inside[0]
    }


class PowerMeter:
    """Reads `tegrastats` for as long as the context lasts; reads nothing where there is none."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> PowerMeter:
        program = shutil.which("tegrastats")
        if program is not None:
            self._process = subprocess.Popen(
                [program, "--interval", str(_INTERVAL_MS)], stdout=subprocess.PIPE, text=True
            )
            threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def rows(self, done: Pass, image: str) -> list[dict[str, Any]]:
        """Return the joules of a pass by rail, as values."""
        found = energy(list(self._readings), done.clock.start, done.clock.stop)
        return [
            {"image": image, "metric": "energy", "region": rail, "value": joules}
            for rail, joules in found.items()
        ]

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if rails := parse_tegrastats(line):
                self._readings.append((time.monotonic(), rails))
