"""Leakage and advantage: their fixed points, their regions, and what counts as visible."""

from collections.abc import Mapping

import numpy as np
import pytest
from skimage import data

from pedbench.metrics.learned_perceptual_similarity import LearnedPerceptualSimilarity
from pedbench.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.metrics.structural_similarity import StructuralSimilarity
from pedbench.privacy.scoring import Score, measure, one_colour, score, score_blind
from pedbench.types import Mask, Picture

FLOORS = {"grey", "other"}
METRICS = (RootMeanSquareError(), PeakSignalNoiseRatio(), StructuralSimilarity())
TRUTH = (data.astronaut()[60:124, 180:276] / 255).astype(np.float32)
OTHER = (data.astronaut()[300:364, 180:276] / 255).astype(np.float32)
BLIND = {"grey": np.full_like(TRUTH, 0.5), "other": OTHER}


def _half() -> Mask:
    visible = np.zeros(TRUTH.shape[:2], np.bool_)
    visible[:, :40] = True
    return visible


def _values(rows: list[Score], attack: str) -> Mapping[tuple[str, str], float]:
    return {(row.metric, row.region): row.value for row in rows if row.attack == attack}


def _score(visible: Mask, **guesses: Picture) -> list[Score]:
    blind = score_blind(TRUTH, BLIND, METRICS)
    return score(TRUTH, visible, guesses, blind, FLOORS, METRICS)


def test_truth_leaks_everything_and_the_best_blind_floor_nothing() -> None:
    rows = _score(np.zeros_like(_half()), exact=TRUTH, **BLIND)
    exact = _values(rows, "exact")
    for column in ("RMSE", "SSIM"):
        assert exact[f"leakage[{column}]", "whole"] == 1
        assert exact[f"advantage[{column}]", "hidden"] == 1
        floors = [_values(rows, floor) for floor in FLOORS]
        assert max(values[f"leakage[{column}]", "whole"] for values in floors) == 0
        assert min(values[f"leakage[{column}]", "whole"] for values in floors) < 0
        assert max(values[f"advantage[{column}]", "hidden"] for values in floors) == 0
    assert not [row for row in rows if "PSNR" in row.metric and "[" in row.metric]


def test_a_picture_seen_in_full_leaks_exactly_everything_whatever_is_guessed() -> None:
    values = _values(_score(np.ones_like(_half()), bad=1 - TRUTH, grey=BLIND["grey"]), "bad")
    assert values["leakage[RMSE]", "whole"] == 1
    assert values["leakage[SSIM]", "whole"] == 1
    assert values["PSNR", "whole"] == 100
    assert not [key for key in values if key[1] == "hidden"]


def test_scorer_pastes_visible_pixels() -> None:
    visible = _half()
    spoilt = np.where(visible[..., None], np.float32(1), BLIND["grey"])
    rows = _score(visible, spoilt=spoilt, grey=BLIND["grey"])
    spoilt_values, grey = _values(rows, "spoilt"), _values(rows, "grey")
    assert {key: spoilt_values[key] for key in grey} == grey
    expected = 1 - np.sqrt(np.square(TRUTH - 0.5)[:, 40:].sum() / np.square(TRUTH - 0.5).sum())
    blind_is_grey = _values(_score(np.zeros_like(visible), **BLIND), "grey")["leakage[RMSE]", "whole"] == 0
    assert blind_is_grey
    assert grey["leakage[RMSE]", "whole"] == pytest.approx(expected, abs=1e-6)


def test_advantage_is_measured_against_the_best_floor_with_the_same_view() -> None:
    near = np.clip(TRUTH + 0.1, 0, 1).astype(np.float32)
    far = np.clip(TRUTH + 0.3, 0, 1).astype(np.float32)
    rows = _score(_half(), grey=far, other=near, learned=near, lost=far)
    assert _values(rows, "learned")["advantage[RMSE]", "hidden"] == 0
    expected = 1 - np.linalg.norm((far - TRUTH)[:, 40:]) / np.linalg.norm((near - TRUTH)[:, 40:])
    assert expected < -1
    assert _values(rows, "lost")["advantage[RMSE]", "hidden"] == pytest.approx(expected, rel=1e-5)


def test_exact_floors_leave_relative_scores_absent() -> None:
    blind = score_blind(TRUTH, {"grey": TRUTH}, METRICS)
    rows = score(TRUTH, np.zeros_like(_half()), {"grey": TRUTH, "learned": OTHER}, blind, FLOORS, METRICS)
    assert {row.metric for row in rows} == {"RMSE", "PSNR", "SSIM"}


def test_an_attack_that_learned_nothing_has_the_advantage_of_its_blind_guess() -> None:
    unchanged, better = OTHER * np.float32(0.9), (TRUTH * np.float32(0.7)).astype(np.float32)
    visible = np.zeros_like(_half())
    visible[3, 4] = True
    guesses = {**BLIND, "same": unchanged, "learned": better}
    blind = score_blind(TRUTH, BLIND, METRICS)
    unseeing = measure(TRUTH, visible, {"same": unchanged, "learned": unchanged}, METRICS)
    rows = score(TRUTH, visible, guesses, blind, FLOORS, METRICS, unseeing=unseeing)
    same, learned = _values(rows, "same"), _values(rows, "learned")
    for column in ("RMSE", "SSIM"):
        assert same[f"advantage[{column}]", "hidden"] == same[f"blind_advantage[{column}]", "hidden"]
        assert learned[f"advantage[{column}]", "hidden"] > learned[f"blind_advantage[{column}]", "hidden"]


def test_perceptual_scores_have_the_same_fixed_points() -> None:
    metric = LearnedPerceptualSimilarity()
    metric.prepare("cpu")
    blind = score_blind(TRUTH, BLIND, [metric])
    rows = score(TRUTH, np.zeros_like(_half()), {"exact": TRUTH, **BLIND}, blind, FLOORS, [metric])
    assert _values(rows, "exact")[f"leakage[{metric.column}]", "whole"] == pytest.approx(1, abs=1e-5)
    best = max(_values(rows, floor)[f"leakage[{metric.column}]", "whole"] for floor in FLOORS)
    assert best == pytest.approx(0, abs=1e-5)


def test_pasting_is_the_mean_colour_of_what_is_visible() -> None:
    visible = _half()
    plain = one_colour(TRUTH, visible, (0, 0, 0))
    assert plain[-1, -1] == pytest.approx(
        TRUTH[:, :40].reshape(-1, 3).mean(axis=0, dtype=np.float64), abs=1e-6
    )
    assert one_colour(TRUTH, np.zeros_like(visible), (0.25, 0.5, 0.75))[3, 5].tolist() == [0.25, 0.5, 0.75]
    rows = score(TRUTH, visible, BLIND, {}, FLOORS, METRICS, pasting=plain)
    for attack, guess in BLIND.items():
        found = _values(rows, attack)
        errors = [np.linalg.norm((picture - TRUTH)[:, 40:]) for picture in (guess, plain)]
        assert found["gain_over_pasting[RMSE]", "hidden"] == pytest.approx(
            1 - errors[0] / errors[1], rel=1e-5
        )
        assert "gain_over_pasting[PSNR]" not in {name for name, _ in found}


def test_wrong_sizes_and_missing_floors_are_refused() -> None:
    with pytest.raises(ValueError, match="guess of small"):
        _score(_half(), small=TRUTH[:1, :1])
    with pytest.raises(ValueError, match="visible mask"):
        _score(_half()[:5], **BLIND)
    with pytest.raises(ValueError, match="at least one floor"):
        score_blind(TRUTH, {}, METRICS)
