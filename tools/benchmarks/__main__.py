"""Measure how fast and lean the encoder and the harness are: `make bench`, or `python -m tools.benchmarks`.

Everything is a ratio or a difference within this run, of variants that take turns. Prints a table, and writes it
into docs/measured/performance.md if asked to. The exit status is 1 when a figure misses its bound by more than its
noise.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from pedbench.host.provenance import cpu_model
from pedbench.models.sam.architectures import VIT_B, VIT_H
from pedbench.models.sam.family import MINI, family
from pedbench.report.words.text import NOTHING, table
from tools.benchmarks.encoder_costs import (
    ENCODERS,
    FAST,
    FAST_BF16,
    REFERENCE,
    TRANSFORMERS,
    encode,
    encoder,
    encoder_seconds,
    interleaved,
    multiply_adds,
    peak_memory,
    picture,
    products,
    window_seconds,
)
from tools.benchmarks.harness_costs import bfloat16_points, overhead_seconds
from tools.documents.measured_blocks import DOCS, replace_block

COUNTS = (1, 3, 9)
# Two window blocks and a global one: the proportions of ViT-B in a quarter of the time.
SHORT = replace(VIT_B, name="short", depth=3, global_blocks=(2,))
SHORT_LENIENCE = 1.5
"""Factor of the bounds of ratios in a short run: processors differ, and few repeats are noisy.

Figures that need the whole encoder have no bound in a short run."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number and its bound.

    Attributes:
        noise: Half the range between the quartiles of the repeats.
        bound: Largest allowed value, or None.
    """

    name: str
    value: float
    noise: float = 0.0
    bound: float | None = None
    unit: str = ""

    @property
    def missed(self) -> bool:
        """Whether the bound is exceeded by more than the noise."""
        return self.bound is not None and not self.value - self.noise <= self.bound

    def cells(self) -> list[str]:
        """Return the figure's row of the table."""
        noise = f" ± {self.noise:.2g}" if self.noise else ""
        bound = NOTHING if self.bound is None else f"{self.bound:.3g}{self.unit}"
        return [
            self.name,
            f"{self.value:.3g}{noise}{self.unit}",
            bound,
            "missed" if self.missed else "" if self.bound is None else "met",
        ]


def of_repeats(
    name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], bound: float | None, unit: str = ""
) -> Figure:
    """Make a figure of the median of repeats and their noise."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return Figure(name=name, value=float(middle), noise=float(high - low) / 2, bound=bound, unit=unit)


def measure(short: bool, repeats: int) -> tuple[list[Figure], list[str]]:
    """Measure all figures, and describe the machine's own bound in sentences."""
    sizes = SHORT if short else VIT_B
    seconds, apart = encoder_seconds(sizes, repeats)
    reference = seconds[REFERENCE]
    lenience = SHORT_LENIENCE if short else 1.0
    figures = [
        of_repeats(
            "time of the encoder in float32, of segment_anything's",
            seconds[FAST] / reference,
            0.58 * lenience,
        ),
        of_repeats(
            "time of the encoder in bfloat16, of segment_anything's in float32",
            seconds[FAST_BF16] / reference,
            0.36 * lenience,
        ),
        of_repeats(
            "time of the encoder in float32, of transformers'", seconds[FAST] / seconds[TRANSFORMERS], None
        ),
        Figure(name="largest difference from segment_anything's output", value=apart, bound=1e-4),
    ]
    bytes_of = {name: peak_memory(name, sizes) for name in ENCODERS}
    figures += [
        Figure(
            name=f"peak memory of a process that encodes, {name}, of segment_anything's",
            value=bytes_of[name] / bytes_of[REFERENCE],
            bound=0.40 if name == FAST and not short else None,
        )
        for name in (FAST, FAST_BF16, TRANSFORMERS)
    ]
    points, low, high = bfloat16_points(4 if short else 24)
    figures.append(
        Figure(
            name="IoU that bfloat16 costs the mini model",
            value=-points,
            noise=(high - low) / 2,
            bound=0.2,
            unit=" points",
        )
    )
    windows = window_seconds(sizes, (*COUNTS, sizes.grid.count), repeats)
    figures += [
        of_repeats(
            f"time of the window stage, {count} windows at a time, of all at once",
            windows[count] / windows[sizes.grid.count],
            1.10 * lenience,
        )
        for count in COUNTS
    ]
    figures += overheads(short, repeats)
    return figures, bounds(seconds, bytes_of)


def overheads(short: bool, repeats: int) -> list[Figure]:
    """Measure the time of passes of `ped_sam` beyond computing."""
    figures = []
    if not short:
        whole, overhead = overhead_seconds(family("vit_b"), 3, repeats, random_seed=0)
        figures.append(of_repeats("harness in a pass of ViT-B, 3 servers", 100 * overhead / whole, 5, " %"))
    for servers, bound in ((3, 8), (25, 40)):
        _, overhead = overhead_seconds(MINI, servers, 8 if short else 20)
        figures.append(
            of_repeats(f"harness in a pass of mini, {servers} servers", 1e3 * overhead, bound, " ms")
        )
    return figures


def bounds(
    seconds: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]], memory: dict[str, int]
) -> list[str]:
    """Describe each encoder's time and memory, and the time of ViT-B at the machine's largest product rate."""
    work = multiply_adds(VIT_B)
    lines = [f"- {name}: {np.median(seconds[name]):.2f} s, {memory[name] / 1e6:,.0f} MB" for name in ENCODERS]
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        rate = products(VIT_B, dtype)
        lines.append(
            f"- large products in {name}: {rate / 1e9:.0f} GMAC/s at best, so that the {work / 1e9:.0f} GMAC "
            f"of ViT-B's encoder take {work / rate:.2f} s at least"
        )
    return lines


def accelerator(device: str, repeats: int) -> list[Figure]:
    """Compare encoders in bfloat16 on an accelerator with `segment_anything`'s there."""
    figures = []
    for sizes in (VIT_B, VIT_H):
        theirs, ours = (encoder(f"{s} bfloat16", sizes, device) for s in ("segment_anything", "pedbench"))
        for batch in (1, 8):
            pixels = picture(sizes, batch).to(device)
            seconds = interleaved(
                {"theirs": partial(encode, theirs, pixels), "ours": partial(encode, ours, pixels)}, repeats
            )
            about = f"{sizes.name} in bfloat16, batch {batch}"
            figures.append(
                of_repeats(f"time, {about}, of segment_anything's", seconds["ours"] / seconds["theirs"], None)
            )
            figures.append(of_repeats(f"pictures a second, {about}", batch / seconds["ours"], None))
    return figures


def machine(device: str) -> str:
    """Describe date, processor, threads and torch."""
    model = cpu_model() if device == "cpu" else f"{torch.cuda.get_device_name(device)}, {cpu_model()}"
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"{today}, {model}, {torch.get_num_threads()} threads, torch {torch.__version__.partition('+')[0]}."
    )


def main() -> None:
    """Read the command line, measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="three blocks instead of twelve, lenient bounds")
    parser.add_argument("--repeats", type=int, help="repeats of each measurement; 5 by default, 3 when short")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for the encoders in bfloat16 alone")
    parser.add_argument(
        "--write", action="store_true", help="write the table into docs/measured/performance.md"
    )
    options = parser.parse_args()
    repeats = options.repeats or (3 if options.short else 5)
    if options.device == "cpu":
        figures, notes = measure(options.short, repeats)
    else:
        figures, notes = accelerator(options.device, repeats), []
    lines = table(["figure", "measured", "at most", ""], [figure.cells() for figure in figures])
    text = "\n\n".join([machine(options.device), lines, "\n".join(notes)]).strip()
    print(text)
    if options.write:
        replace_block(DOCS / "measured" / "performance.md", "performance", text)
    sys.exit(any(figure.missed for figure in figures))


if __name__ == "__main__":
    main()
