"""Run directories of made-up defenses, each with its numbers, for tables and sentences whose content is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.results.run import Run, load
from pedbench.suites.cell import PluginIdentity
from tests.regression.runs import ATTACKED, GEOMETRY, LATENCY, READ, UTILITY, Made, write_run

DISTANCES = ("RMSE", "SSIM", "LPIPS-alex")
WORDS = 4
"""Words that each picture holds."""

ATTACK = PluginIdentity(name="guesser", version=1)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A defense and what was measured of it, the same for all pictures up to `spread`.

    Attributes:
        iou: mIoU; a sequence has one for each picture.
        leakage: By each of `DISTANCES`; a single number for all of them; None if it was not attacked.
        words: Share of words that are read, a multiple of 1 / `WORDS`; None if no probe read.
        wall: Seconds; None if it was not timed.
        flags: Of what was received.
        failed: Whether an attack failed, which makes its numbers lower bounds.
        receives: Whether servers get anything.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    iou: float | Sequence[float] | None = 0.8
    leakage: float | tuple[float, float, float] | None = 0.3
    spread: float = 0.01
    words: float | None = 0.0
    wall: float | None = 0.1
    flags: tuple[str, ...] = ()
    failed: bool = False
    receives: bool = True
    version: int = 1


REFERENCE = Numbers(name="whole", leakage=1.0, spread=0, words=1.0)
"""The undefended model, to which retention relates: it leaks everything."""


def made_run(
    directory: Path,
    defenses: Sequence[Numbers],
    *,
    pictures: int = 24,
    dataset: str = "scenes",
    agreement: bool = False,
    devices: str = "",
) -> Run:
    """Write and load a run; the first defense is the reference.

    Args:
        agreement: Whether utility is agreement with the undefended model, for want of annotations.
        devices: Entry `devices` of the suite's table of latency; with it, passes are projected to four times the wall.
    """
    images = [f"{number:03d}" for number in range(pictures)]
    cells: list[Made] = []
    for place, numbers in enumerate(defenses):
        cells += _cells(numbers, images, place == 0 and not agreement, agreement, bool(devices))
    cells = [replace(each, cell=replace(each.cell, dataset=dataset)) for each in cells]
    write_run(directory, cells)
    suite = directory / "suite.toml"
    text = suite.read_text(encoding="utf-8").replace('name = "scenes"', f'name = "{dataset}"')
    suite.write_text(text + (f"devices = {devices}\n" if devices else ""), encoding="utf-8")
    return load(directory)


def _cells(
    numbers: Numbers, images: Sequence[str], reference: bool, agreement: bool, projected: bool
) -> Iterator[Made]:
    defense = PluginIdentity(name=numbers.name, version=numbers.version, params=dict(numbers.params))
    if numbers.iou is not None:
        cell = replace(UTILITY, defense=defense)
        flags = ("reference",) if reference else ()
        yield Made(cell=cell, values=_utility(numbers, images, agreement), flags=flags)
    if numbers.leakage is not None:
        yield Made(cell=replace(GEOMETRY, defense=defense), values=_shares(images), flags=numbers.flags)
        attack = replace(ATTACKED, defense=defense, attack=ATTACK)
        about = {"family": "masked autoencoder", "needs": ["pixels"]}
        yield Made(cell=attack, values=_leakages(numbers, images), attacker=about)
        if numbers.failed:
            broken = replace(attack, attack=PluginIdentity(name="broken", version=1))
            yield Made(cell=broken, status="failed", reason="out of memory", attacker=about)
    if numbers.words is not None and numbers.leakage is not None:
        yield Made(cell=replace(READ, defense=defense), values=_words(numbers.words, images))
    if numbers.wall is not None:
        cell = replace(LATENCY, defense=defense)
        yield Made(cell=cell, values=_times(numbers, images, projected))


def _utility(numbers: Numbers, images: Sequence[str], agreement: bool) -> pd.DataFrame:
    ious = [numbers.iou] * len(images) if isinstance(numbers.iou, float) else numbers.iou
    metric = "agreement" if agreement else "IoU[1 click]"
    rows = [(image, 0, metric, value, "M") for image, value in zip(images, ious or (), strict=True)]
    return pd.DataFrame(rows, columns=["image", "annotation", "metric", "value", "tag"])


def _shares(images: Sequence[str]) -> pd.DataFrame:
    rows = [(image, -1, "0", "visible share", 0.2, "") for image in images]
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value", "tag"])


def _leakages(numbers: Numbers, images: Sequence[str]) -> pd.DataFrame:
    leakages = numbers.leakage if isinstance(numbers.leakage, tuple) else (numbers.leakage,) * 3
    rows = []
    for place, image in enumerate(images):
        # The same for each defense, so that it vanishes in paired differences of equally spread ones.
        noise = numbers.spread * ((place * 7) % 5 - 2)
        for distance, leakage in zip(DISTANCES, leakages, strict=True):
            rows.append((image, "0", "whole", f"leakage[{distance}]", float(leakage or 0) + noise))
            rows.append((image, "0", "whole", distance, 0.5))
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])


def _words(share: float, images: Sequence[str]) -> pd.DataFrame:
    rows = []
    for image in images:
        for word in range(WORDS):
            rows.append((image, word, "0", "words read[tiles]", float(word < share * WORDS)))
            rows.append((image, word, "", "words read[undefended]", 1.0))
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value"])


def _times(numbers: Numbers, images: Sequence[str], projected: bool) -> pd.DataFrame:
    seconds = numbers.wall or 0.0
    rows = [(image, "", "end to end", "wall", seconds) for image in images]
    if projected:
        rows += [(image, "", "end to end", "projected", 4 * seconds) for image in images]
    if numbers.receives:
        rows += [(image, "0", "", "bytes up", 1000.0) for image in images]
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])
