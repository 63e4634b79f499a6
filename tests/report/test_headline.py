"""The sentence above a report, on made-up runs: it names a defense only where every measure does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.host.home import RANDOM_WEIGHTS
from pedbench.report.numbers.combined import combined
from pedbench.report.words.headline import headline_sentence
from pedbench.results.run import Run
from tests.report.made_defenses import REFERENCE, Numbers, made_run

MARGIN = "at least 95% of the undefended mIoU[1 click], M+L"
SPLIT = Numbers(name="split", leakage=0.2)
VEIL = Numbers(name="veil", leakage=0.4)

WIDE = (0.5, 0.9, 0.7, 0.9, 0.8, 1.0)
"""IoU of six pictures whose mean is the reference's, and whose interval reaches far below the margin."""


def sentence(directory: Path, *defenses: Numbers, pictures: int = 24) -> str:
    run = made_run(directory / "run", [REFERENCE, *defenses], pictures=pictures)
    return headline_sentence(run, combined(run), [])


@pytest.mark.parametrize(
    ("defenses", "pictures", "expected"),
    [
        (
            (SPLIT, VEIL),
            24,
            "`split` gives most privacy by every measure: the worst server learns leakage[RMSE] 0.200",
        ),
        (
            (Numbers(name="split", leakage=(0.2, 0.2, 0.45)), VEIL),
            24,
            "the measures disagree (`split` least by leakage[RMSE] and leakage[SSIM] and words read, "
            "`veil` least by leakage[LPIPS-alex])",
        ),
        (
            (Numbers(name="split", leakage=0.2, words=0.5), VEIL),
            24,
            "`veil` least by words read)",
        ),
        ((SPLIT, Numbers(name="veil", leakage=0.2, spread=-0.05)), 24, "24 pictures are too few to tell `"),
        ((SPLIT, VEIL), 6, "6 pictures are too few to tell `split` from `veil` by leakage[RMSE]"),
        (
            (Numbers(name="split", leakage=0.2, failed=True), VEIL),
            24,
            "the numbers of `split` are lower bounds (≥)",
        ),
        (
            (Numbers(name="split", leakage=0.6), Numbers(name="veil", leakage=0.8)),
            24,
            "which is not below 0.5",
        ),
        (
            (Numbers(name="split", leakage=0.2, words=None), Numbers(name="veil", leakage=0.4, words=None)),
            24,
            "`split` leaks least by every measure, and words read were not measured",
        ),
    ],
    ids=["agree", "distances", "words", "equal", "six", "bound", "high", "absent"],
)
def test_a_name_needs_every_measure(
    tmp_path: Path, defenses: tuple[Numbers, ...], pictures: int, expected: str
) -> None:
    # The undefended picture is offloaded, too, and keeps everything.
    found = sentence(tmp_path, *defenses, pictures=pictures)
    assert expected in found
    assert found.startswith(f"Of the 3 defenses that offload and keep {MARGIN},")
    assert ("none can be named the most private" in found) != ("gives most privacy" in found)


@pytest.mark.slow
def test_too_few_pictures_for_utility_are_said_before_any_privacy(tmp_path: Path) -> None:
    reference = Numbers(name="whole", iou=0.8, leakage=None, words=None)
    wide = [
        Numbers(name=name, iou=WIDE, leakage=leakage) for name, leakage in (("split", 0.1), ("veil", 0.2))
    ]
    run = made_run(tmp_path / "run", [reference, *wide], pictures=6)
    assert headline_sentence(run, combined(run), []) == (
        f"6 pictures are too few to tell whether any defense that offloads keeps {MARGIN}: `split`, `veil` may."
    )
    run = made_run(tmp_path / "lone", [reference, wide[0], VEIL], pictures=6)
    found = headline_sentence(run, combined(run), [])
    assert found.startswith(
        f"`veil` is the only defense that offloads and is sure to keep {MARGIN}, so that there is"
    )
    assert found.endswith("Whether `split` may keep it, too, 6 pictures are too few to tell.")
    assert "most privacy" not in found


def test_a_loss_of_utility_is_said_as_such(tmp_path: Path) -> None:
    reference = Numbers(name="whole", iou=0.8, leakage=None, words=None)
    run = made_run(tmp_path / "run", [reference, Numbers(name="split", iou=0.5)])
    assert headline_sentence(run, combined(run), []) == f"No defense that offloads keeps {MARGIN}."


def test_a_run_without_latency_is_compared_by_what_was_received(tmp_path: Path) -> None:
    flags = ("received: pixels",)
    rows = [
        Numbers(name=name, leakage=leaks, wall=None, flags=flags)
        for name, leaks in (("split", 0.2), ("veil", 0.4))
    ]
    stays = Numbers(name="stays", leakage=0.0, wall=None, flags=("received: nothing",))
    reference = Numbers(name="whole", leakage=None, words=None, wall=None)
    run = made_run(tmp_path / "run", [reference, *rows, stays])
    assert "Of the 2 defenses" in headline_sentence(run, combined(run), [])


def test_random_weights_are_said_to_mean_nothing(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [REFERENCE, SPLIT, VEIL], dataset="coco")
    for folder, expected in ((RANDOM_WEIGHTS, True), ("trained", False)):
        weights = {"original": str(tmp_path / folder / "vit_b-0.safetensors")}
        suite = run.suite.model_copy(update={"weights": weights})
        stand_in = Run(directory=run.directory, suite=suite, records=run.records, missing=run.missing)
        found = headline_sentence(stand_in, combined(stand_in), [])
        assert found.startswith("The networks have random weights: only times mean anything") == expected
        assert ("most privacy" in found) != expected
