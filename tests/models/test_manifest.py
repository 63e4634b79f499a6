"""What is said of a network's training is what its manifest says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pedbench.models.manifest import ASSETS, trained_on


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
