"""Several runs in one report: only if they measured the same pictures with the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pedbench.registry import Registry
from pedbench.regression.verify import check_records
from pedbench.report.numbers.tidy import privacy, utility
from pedbench.report.outputs.writing import write_report
from pedbench.results.merge import merge
from pedbench.results.run import load

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def halves(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("halves")
    first = run_small(folder / "first", defenses=[{"name": "on_device"}, {"name": "full_offload"}])
    second = run_small(folder / "second", defenses=[{"name": "on_device"}, {"name": "ped_sam"}])
    return [first.directory, second.directory]


@pytest.mark.long
def test_merged_runs_are_as_one_run(halves: list[Path], short_run: Any, tmp_path: Path) -> None:
    merged = merge(halves, tmp_path)
    assert not [finding for finding in check_records(merged, Registry()) if finding.problem]
    for frame in (utility, privacy):
        ours, theirs = (frame(load(path)) for path in (merged, short_run.directory))
        # The run at once has further defenses.
        theirs = theirs[theirs["cell_id"].isin(set(ours["cell_id"]))]
        columns = ["cell_id", "defense", "metric", "region", "value", "low", "high", "n"]
        order = ["cell_id", "metric", "region"]
        ours, theirs = (each[columns].sort_values(order, ignore_index=True) for each in (ours, theirs))
        assert ours.equals(theirs)
    page = write_report(load(merged)).with_suffix(".html").read_text(encoding="utf-8")
    assert "full_offload" in page
    assert "ped_sam" in page
    assert "data:image/webp" in page


def test_runs_of_other_pictures_or_seeds_are_refused_by_name(
    halves: list[Path], run_small: Any, tmp_path: Path
) -> None:
    other = run_small(
        tmp_path / "other", seed=1, dataset={"name": "scenes", "params": {"count": 8}, "limit": 1}
    ).directory
    with pytest.raises(ValueError, match=r"(?s)other: seed is 1, not 0.*other: dataset is") as refused:
        merge([*halves, other], tmp_path / "into")
    assert "second" not in str(refused.value)
    assert not (tmp_path / "into").exists()
