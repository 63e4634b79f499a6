"""Soundness flags: raised where they should be, and explained wherever they are shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.base.attack import Need
from pedbench.models.sam.family import MINI
from pedbench.report.words.legend import FLAGS
from pedbench.types import Patch, Prior, Tokens, View
from pedbench.validity.flags import NO_BETTER, SEED_SPREAD, UNREAD, WORSE_THAN_PASTING, of_attack, unread

FLAGS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "flags.md"


def rows(metric: str, means: list[float], spread: float = 0.05, coalitions: int = 1) -> pd.DataFrame:
    """Thirty pictures; one mean a seed, met exactly, with independent noise around it in every coalition."""
    rng = np.random.default_rng(0)
    frames = []
    for seed, mean in enumerate(means):
        for coalition in range(coalitions):
            noise = rng.normal(0, 1, 30)
            value = mean + spread * (noise - noise.mean()) / noise.std()
            frames.append(pd.DataFrame({"value": value, "seed": seed, "servers": str(coalition)}))
            frames[-1]["image"] = [str(picture) for picture in range(30)]
    return pd.concat(frames).assign(metric=metric, region="hidden")


@pytest.mark.parametrize(
    ("means", "flagged"),
    [
        ({"RMSE": 0.1, "SSIM": -0.2}, False),
        ({"RMSE": 0.0, "SSIM": -0.2}, True),
        # The interval reaches below 0.
        ({"RMSE": 0.005}, True),
    ],
)
def test_an_attack_must_beat_the_floors_in_some_metric(means: dict[str, float], flagged: bool) -> None:
    values = pd.concat([rows(f"advantage[{name}]", [mean]) for name, mean in means.items()])
    assert (NO_BETTER in of_attack(values, floor=False)) == flagged
    assert NO_BETTER not in of_attack(values, floor=True)


def test_chance_over_many_coalitions_is_no_advantage() -> None:
    values = rows("advantage[RMSE]", [0.0], coalitions=5)
    assert values.groupby("image")["value"].max().mean() > 0.04
    assert NO_BETTER in of_attack(values, floor=False)


@pytest.mark.parametrize(
    ("rmse", "ssim", "flagged"), [(-0.1, -0.3, True), (-0.1, 0.2, False), (0.0, -1.0, False)]
)
def test_worse_than_pasting_is_worse_in_every_metric(rmse: float, ssim: float, flagged: bool) -> None:
    values = pd.concat(
        [rows("gain_over_pasting[RMSE]", [rmse], 0), rows("gain_over_pasting[SSIM]", [ssim], 0)]
    )
    assert (WORSE_THAN_PASTING in of_attack(values, floor=True)) == flagged


@pytest.mark.parametrize(
    ("means", "flagged"), [([0.1, -0.1, 0.02], True), ([0.5, 0.6, 0.4], False), ([0.0], False)]
)
def test_seeds_that_disagree(means: list[float], flagged: bool) -> None:
    assert (SEED_SPREAD in of_attack(rows("advantage[RMSE]", means), floor=False)) == flagged


def test_content_that_no_attack_can_use_is_told() -> None:
    patch = Patch(picture=np.zeros((2, 2, 3), np.float32), top=0, left=0, server=0)
    tokens = Tokens(
        values=np.zeros((1, 4), np.float32), positions=np.zeros((1, 2), np.int64), depth=0, server=0
    )
    prior = Prior(mean_colour=np.zeros(3, np.float32), pictures=())
    held: dict[Need, Any] = {"pixels": {"patches": (patch,)}, "degraded": {"degraded": (patch,)}}
    held["tokens"] = {"tokens": (tokens,)}
    for kind, content in held.items():
        views = [View(frame_size=(4, 4), prior=prior), View(frame_size=(4, 4), prior=prior, **content)]
        assert unread(views, {"nothing", "metadata"}) == {UNREAD[kind]}
        assert unread(views, {"nothing", kind}) == set()
        assert unread(views[:1], {"nothing"}) == set()


@pytest.mark.long
def test_a_run_whose_attacks_cannot_see_a_blur_says_so(run_small: Any, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "defenses": [{"name": "gaussian_blur"}, {"name": "full_offload"}],
        "metrics": ["root_mean_square_error"],
    }
    found = run_small(tmp_path / "blind", report=True, attacks=["mean_colour", "metadata"], **changes)
    flagged = [r for r in found.records if UNREAD["degraded"] in r.flags]
    private = found.of("gaussian_blur", "privacy")
    assert {r.cell_id for r in flagged} == {r.cell_id for r in private}
    report = (found.directory / "report.md").read_text()
    assert f"{UNREAD['degraded']}: {FLAGS[UNREAD['degraded']]}" in report
    for attack in ("metadata", "mean_colour"):
        for record in found.of("gaussian_blur", attack=attack):
            assert (NO_BETTER in record.flags) == (attack == "metadata")
    # What fills with one colour fills exactly as pasting does.
    values = found.values(found.of("gaussian_blur", attack="mean_colour")[0])
    gains = values[values["metric"] == "gain_over_pasting[RMSE]"]["value"]
    assert len(gains) == 2
    assert np.abs(gains).max() < 1e-6
    seeing = run_small(tmp_path / "seeing", attacks=["mean_colour", "read_degraded"], **changes)
    assert not [r for r in seeing.records if set(r.flags) & set(UNREAD.values())]


def test_each_flag_has_a_paragraph() -> None:
    headings = re.findall(r"^## (.*)$", FLAGS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {flag for heading in headings for flag in heading.split(", ")} == set(FLAGS)


def test_weights_are_verified_by_the_manifest_beside_them(tmp_path: Path) -> None:
    from dataclasses import replace

    assert MINI.original.file is not None
    assert MINI.unverified() == []
    copy = tmp_path / MINI.original.file.name
    copy.write_bytes(b"anything")
    family = replace(MINI, original=replace(MINI.original, file=copy))
    assert family.unverified() == [MINI.original.architecture.name]
