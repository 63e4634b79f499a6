"""The quick part of `mini` on the device and on the CPU, number by number."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from pedbench.report.words.text import NOTHING, code, table
from tools.first_contact.mini import run_suite
from tools.first_contact.setting import Setting

MOST_LINES = 15
"""Maximum number of differences on the page; the largest, relative to the number on the CPU."""

_KEPT = ("verdict", "defense", "attack", "metric", "region", "base", "new")


def measure(setting: Setting) -> dict[str, Any]:
    """Run the same cells on both devices, and compare them with `pedbench compare`."""
    options = ["--quick", "--limit", "1" if setting.small else "4"]
    if setting.small:
        options += ["--defense", "full_offload", "--attack", "mean_colour"]
    runs = [
        str(run_suite(setting.folder / f"compared-{name}", device, options))
        for name, device in (("cpu", "cpu"), ("device", setting.device))
    ]
    command = [sys.executable, "-m", "pedbench", "compare", *runs, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    lines = sorted(found["lines"], key=_distance, reverse=True)[:MOST_LINES]
    return {
        "verdicts": found["verdicts"],
        "lines": [{name: line[name] for name in _KEPT} for line in lines],
    }


def _distance(line: Mapping[str, Any]) -> float:
    """Return the difference relative to the number on the CPU; infinite where one of both is missing."""
    base, new = line["base"], line["new"]
    return float("inf") if base is None or new is None else abs(new - base) / max(abs(base), 1e-9)


def show(result: Mapping[str, Any]) -> str:
    """Return the numbers of each verdict and a table of the largest differences."""
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in result["verdicts"].items())
    text = f"`pedbench compare` of the quick part on the CPU and on the device: {verdicts}."
    if not result["lines"]:
        return f"{text} No number differs."
    lines = [
        [
            code(line["defense"]),
            code(line["attack"] or NOTHING),
            code(" ".join(filter(None, (line["metric"], line["region"]))) or "cell"),
            line["verdict"],
            *(NOTHING if line[name] is None else f"{line[name]:.6g}" for name in ("base", "new")),
        ]
        for line in result["lines"]
    ]
    return f"{text}\n\n" + table(["defense", "attack", "metric", "verdict", "CPU", "device"], lines, left=4)
