"""What is said of a network's training is what its manifest says."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from pedbench.metrics.learned_perceptual_similarity import OWN, LearnedPerceptualSimilarity
from pedbench.models.manifest import ASSETS, trained_on
from pedbench.scenes.store import SPLIT_SEEDS
from pedbench.training.recipes import RECIPES


def test_shipped_networks_tell_their_data_and_steps() -> None:
    entry = json.loads((ASSETS / "manifest.json").read_text())["ped-mini"]
    steps = entry["recipe"]["schedule"]["steps"]
    expected = (
        f"ped-mini: {entry['data']['count']} scenes (train), {steps} steps of {entry['recipe']['batch']}"
    )
    assert trained_on("ped-mini") == expected


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"says nothing of 'mae-nano'; it knows: .*ped-mini"):
        trained_on("mae-nano")
    with pytest.raises(ValueError, match="it knows: none"):
        trained_on("ped-mini", tmp_path)


def test_no_network_was_trained_on_the_trunk_that_scores() -> None:
    entries = json.loads((ASSETS / "manifest.json").read_text())
    unshipped = {"sam-mini-1", "sam-mini-2", "dp-pixelate-mini"}
    assert entries.keys() == RECIPES.keys() - unshipped
    scoring = OWN["scoring"].stem
    assert LearnedPerceptualSimilarity().files == (ASSETS / entries[scoring]["file"],)
    for name, entry in entries.items():
        for recipe in (entry["recipe"], asdict(RECIPES[name])):
            assert f'"{scoring}"' not in json.dumps(recipe), name
            # A recipe with a perceptual term says whose features it compares.
            assert not recipe.get("perceptual") or recipe["loss_trunk"] in entries.keys() - {scoring}, name
        data = (entry["data"]["split"], entry["data"].get("seed", SPLIT_SEEDS["train"]))
        assert (data == ("train", entries[scoring]["data"]["seed"])) == (name == scoring), name
