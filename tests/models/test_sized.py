"""Weights files that tell their sizes, and files that tell wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pedbench.errors import CheckpointError, MissingWeightsError
from pedbench.models.attackers.restoration import (
    RestorationSizes,
    RestorationTransformer,
    load_restoration,
)
from pedbench.models.attackers.sharpening import (
    SharpeningNetwork,
    SharpeningSizes,
    load_sharpening,
)
from pedbench.models.attackers.sized import save_sized

KINDS: dict[str, Any] = {
    "restoration": (
        load_restoration,
        RestorationTransformer(RestorationSizes(canvas=32, width=24, depth=1, heads=2)),
    ),
    "sharpening": (load_sharpening, SharpeningNetwork(SharpeningSizes(width=4, blocks=1))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_is_loaded(kind: str, tmp_path: Path) -> None:
    load, network = KINDS[kind]
    save_sized(network, tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors")
    assert loaded.sizes == network.sizes
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sizes",
    [
        None,
        "[",
        "[]",
        '{"width": "x"}',
        '{"width": 1e9}',
        '{"width": 1000000000}',
        '{"width": -4}',
        '{"width": true}',
        '{"width": 64}',
        '{"magic": 1}',
    ],
)
def test_wrong_sizes_are_refused_before_they_fill_the_memory(
    kind: str, sizes: str | None, tmp_path: Path
) -> None:
    load, network = KINDS[kind]
    path = tmp_path / "a.safetensors"
    save_file(network.state_dict(), path, metadata=None if sizes is None else {"sizes": sizes})
    with pytest.raises(CheckpointError, match=f"found no {kind} network") as caught:
        load(path)
    first, second = str(caught.value).splitlines()
    assert str(path) in first
    assert second.startswith("expected")


@pytest.mark.parametrize("kind", KINDS)
def test_other_tensors_are_refused(kind: str, tmp_path: Path) -> None:
    load, network = KINDS[kind]
    sizes = {"sizes": json.dumps(vars(network.sizes))}
    state = {key: value.clone() for key, value in network.state_dict().items()}
    last = next(reversed(state))
    for wrong in (state | {last: torch.zeros(5)}, {key: state[key] for key in state if key != last}):
        save_file(wrong, tmp_path / "a.safetensors", metadata=sizes)
        with pytest.raises(CheckpointError, match="other shapes"):
            load(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes((2**40).to_bytes(8, "little"))
    with pytest.raises(CheckpointError, match=f"found no {kind} network"):
        load(tmp_path / "a.safetensors")
    with pytest.raises(MissingWeightsError, match="pedbench train nowhere"):
        load(tmp_path / "nowhere.safetensors")
