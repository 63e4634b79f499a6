"""Throughput and memory of whole image encoders, against `segment_anything` and transformers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from pedbench.report.words.text import NOTHING, code, table
from tools.benchmarks.encoder_costs import encode, encoder, picture
from tools.first_contact.cells import duration, errors, memory, ratio
from tools.first_contact.setting import Setting, compare

PROGRAMS = ("segment_anything", "transformers", "pedbench")


def measure(setting: Setting, size: str) -> dict[str, Any]:
    """Measure the encoders of a size in float32 and bfloat16, with one picture and with eight at a time."""
    sizes = setting.architecture(size)
    built = {program: encoder(f"{program} float32", sizes, setting.device) for program in PROGRAMS}
    rows = []
    for dtype in ("float32", "bfloat16"):
        for network in built.values():
            network.to(getattr(torch, dtype))
        for batch in (1, 8):
            pixels = picture(sizes, batch).to(setting.device, getattr(torch, dtype))
            runs = {program: partial(encode, network, pixels) for program, network in built.items()}
            found = compare(runs, setting)
            layer = {"dtype": dtype, "batch": batch}
            rows += [{**layer, "program": program, **row} for program, row in found.items()]
    weights = sum(each.numel() for each in built["pedbench"].parameters())
    return {"network": sizes.name, "weights": weights, "rows": rows}


def show(result: Mapping[str, Any]) -> str:
    """Return a table with a line for each program, type and batch."""
    rows = result["rows"]
    reference = {(row["dtype"], row["batch"]): row for row in rows if row["program"] == PROGRAMS[0]}
    lines = [
        [
            row["dtype"],
            str(row["batch"]),
            code(row["program"]),
            duration(row),
            f"{row['batch'] / row['seconds']:.3g}" if "seconds" in row else NOTHING,
            ratio(row, reference[row["dtype"], row["batch"]]),
            memory(row),
        ]
        for row in rows
    ]
    headers = ["type", "batch", "program", "time", "pictures per second", "ratio", "peak memory"]
    return "\n\n".join(
        filter(
            None,
            [
                f"{result['network']}, {result['weights'] / 1e6:,.1f} million weights. The ratio is to the time of "
                "`segment_anything`; peak memory is beyond weights and pixels.",
                table(headers, lines, left=3),
                errors(rows, "program"),
            ],
        )
    )
