"""Runs that must agree: the same again, and with other limits, threads, passes and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.engines.comparison import compare, signature
from tests.engines.outcomes import scenes

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_the_same_run_again_is_identical(short_run: Any, run_small: Any, tmp_path: Path) -> None:
    defenses = [{"name": name} for name in ("on_device", "full_offload", "ped_sam", "random_payload")]
    second = run_small(tmp_path / "second", defenses=defenses)
    assert [signature(record) for record in short_run.records] == [signature(r) for r in second.records]
    for left, right in compare(short_run, second):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_a_limit_changes_no_value(small_run: Any, short_run: Any) -> None:
    images = short_run.values(short_run.records[0])["image"].unique().tolist()
    assert len(images) == 2
    for left, right in compare(small_run, short_run, images):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


@pytest.mark.long
def test_the_number_of_threads_changes_nothing(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    before, runs = torch.get_num_threads(), []
    defenses = [
        *({"name": name} for name in ("on_device", "on_device_small", "full_offload")),
        {"name": "ped_sam", "params": {"servers": 1}},
    ]
    metrics = ["root_mean_square_error", "structural_similarity", "learned_perceptual_similarity"]
    utility = [{"protocol": "clicks", "prompts": ["1", "3", "box"]}]
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for module in ("engines.open_bench", "engines.worker", "host.determinism"):
                monkeypatch.setattr(f"pedbench.{module}.cores", lambda threads=threads: threads)
            directory = tmp_path / str(threads)
            runs.append(run_small(directory, defenses=defenses, metrics=metrics, utility=utility))
    finally:
        torch.set_num_threads(before)
    for left, right in compare(*runs):
        # This includes IoU, whose masks are thresholded.
        pd.testing.assert_frame_equal(left, right, rtol=1e-5, atol=1e-12)


@pytest.mark.long
def test_two_passes_replace_many_for_a_deterministic_defense(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedbench.measure.bench import Bench

    requests = []
    run_one = Bench.run

    def counted(bench: Any, plan: Any, sample: Any, frame: Any, settings: Any = None) -> Any:
        # The warm-up does not count as a request.
        requests.extend([settings.request] if not sample.id.startswith("warm-up") else [])
        return run_one(bench, plan, sample, frame, settings)

    monkeypatch.setattr(Bench, "run", counted)
    changes = {
        "dataset": scenes(2),
        "defenses": [{"name": "ped_sam"}],
        "attacks": ["mean_colour", {"name": "accumulate", "params": {"requests": 4}}],
    }
    few = run_small(tmp_path / "few", **changes)
    assert sorted(requests) == [0, 0, 1, 1]
    monkeypatch.setattr("pedbench.measure.one_defense._repeats", lambda *_: False)
    many = run_small(tmp_path / "many", **changes)
    assert sorted(requests[4:]) == [0, 0, 1, 1, 2, 2, 3, 3]
    for left, right in compare(few, many):
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.long
def test_values_lost_between_pictures_are_measured_again(
    run_small: Any, short_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedbench.measure.blind_guesses.MOST", 0)
    names = ["on_device", "full_offload", "ped_sam", "random_payload"]
    for kept, forgotten in compare(
        short_run, run_small(tmp_path, defenses=[{"name": name} for name in names])
    ):
        pd.testing.assert_frame_equal(kept, forgotten)
