"""Files that attacks of a run may not ask to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pedbench.errors import PluginError
from pedbench.host.home import home
from pedbench.plugins.datasets.scenes import Scenes
from pedbench.results.records import PLAN


@pytest.mark.parametrize("place", ["{}", "{}/annotations/instances.json", "{}/images", "/"])
def test_no_attack_of_a_run_may_ask_for_the_truth(run_small: Any, tmp_path: Path, place: str) -> None:
    folder = Scenes(count=8).folder.locations[0].parent
    attacks = ["mean_colour", {"name": "snoops", "params": {"place": place.format(folder)}}]
    with pytest.raises(PluginError, match=r"snoops asks to read .* keeps the truth"):
        run_small(tmp_path, plugins=["snoops"], attacks=attacks)


@pytest.mark.slow
def test_no_attack_of_a_run_may_ask_for_what_runs_keep(run_small: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / PLAN).write_text("[]")
    for place, kept in (
        (other / "exhibits", "a run keeps pictures"),
        (tmp_path / "own", "a run keeps pictures"),
        (home() / "hosted" / "replies", "replies of services are kept"),
    ):
        attacks = ["mean_colour", {"name": "snoops", "params": {"place": str(place)}}]
        with pytest.raises(PluginError, match=rf"snoops asks to read .*, where {kept}"):
            run_small(tmp_path / "own", plugins=["snoops"], attacks=attacks)
