"""The same weights through `segment_anything`, through transformers and through ours: the same masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import SAM_MINI, SMALL, Architecture
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.checkpoints import fingerprint, load_sam, save_sam
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.transformers_sam import read_architecture
from pedbench.types import Picture
from tools.studies.loading_parity import AS_CONVERTED, TOLERANCE, compare, difference
from tools.studies.sam_programs import (
    by_pedbench,
    by_segment_anything,
    by_transformers,
    load_with_transformers,
    make_prompts,
    save_for_transformers,
)

MakeSam = Callable[[Architecture], Any]


@pytest.mark.slow
@pytest.mark.data
def test_three_programs_give_the_same_masks(
    tmp_path: Path, random_sam: MakeSam, reference_sam: Any, photographs: list[Picture]
) -> None:
    sam = random_sam(SMALL)
    save_sam(sam, tmp_path / "official.pth")
    save_for_transformers(sam.state_dict(), SMALL, tmp_path / "converted", decoder_epsilon=1e-5)
    architecture, file = read_architecture(str(tmp_path / "converted"))
    own = load_sam(tmp_path / "official.pth", SMALL)
    programs = [
        by_pedbench(own),
        by_pedbench(load_sam(file, architecture)),
        by_transformers(load_with_transformers(tmp_path / "converted"), own),
    ]
    reference = by_segment_anything(reference_sam(SMALL, sam))
    for picture in photographs[:2]:
        expected = reference(picture, make_prompts(picture))
        for program in programs:
            found = difference(program(picture, make_prompts(picture)), expected)
            assert found.logits < TOLERANCE
            assert found.ious < TOLERANCE
            assert found.pixels < TOLERANCE


@pytest.mark.data
@pytest.mark.long
def test_sam_vit_b_of_the_registry(tmp_path: Path, photographs: list[Picture]) -> None:
    """On one photograph; `python -m tools.studies.loading_parity` takes ten."""
    differences = compare(tmp_path, photographs[:1])
    assert differences.pop(AS_CONVERTED).logits < 1e-2
    for found in differences.values():
        assert found.logits < TOLERANCE
        assert found.ious < TOLERANCE
        assert found.pixels < TOLERANCE


def test_a_folder_of_transformers_is_a_family(tmp_path: Path, random_sam: MakeSam) -> None:
    sam = random_sam(SMALL)
    save_for_transformers(sam.state_dict(), SMALL, tmp_path / "slim")
    slim = family(str(tmp_path / "slim"))
    assert slim.name == str(tmp_path / "slim")
    assert slim.original.architecture.global_blocks == SMALL.global_blocks
    assert slim.fine_tuned.architecture.global_blocks == (2,)
    assert set(slim.digests()) == {"slim"}
    network = load_network(slim, "original")
    assert fingerprint(network) == fingerprint(sam) == fingerprint(tmp_path / "slim" / "model.safetensors")
    pixels = torch.randn(1, 3, 256, 256)
    assert torch.equal(network.image_encoder(pixels), sam.image_encoder(pixels))
    with pytest.raises(CheckpointError, match="no weights were named for ped-slim"):
        load_network(slim, "fine-tuned")


@pytest.mark.slow
def test_a_run_with_a_folder_is_that_with_its_weights(run_small: Any, tmp_path: Path) -> None:
    """`sam-mini` in transformers' format is measured as `mini` is, by servers and by attacks, too."""
    state = load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI).state_dict()
    save_for_transformers(state, SAM_MINI, tmp_path / "converted")
    found = []
    for model in ("mini", str(tmp_path / "converted")):
        done = run_small(
            tmp_path / Path(model).name,
            model=model,
            defenses=[{"name": "full_offload", "latency": False}],
            attacks=["mean_colour"],
            metrics=["root_mean_square_error"],
        )
        assert {record.status for record in done.records} == {"ok"}, done.said
        found.append([[metric.value for metric in record.metrics] for record in done.records])
    assert found[0] == found[1]


@pytest.mark.parametrize(("width", "hidden"), [(384, 1536), (168, 696), (768, 3072), (100, 333)])
def test_the_width_of_pruned_layers_is_kept(width: int, hidden: int, tmp_path: Path) -> None:
    from transformers import SamConfig

    SamConfig(vision_config={"hidden_size": width, "mlp_dim": hidden}).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").touch()
    sam = build_sam(read_architecture(str(tmp_path))[0], allocate=False)
    assert sam.image_encoder.blocks[0].mlp.lin1.weight.shape == (hidden, width)


def test_other_folders_are_refused(tmp_path: Path, random_sam: MakeSam) -> None:
    with pytest.raises(CheckpointError, match=r"looked for .*nowhere/config.json"):
        family(str(tmp_path / "nowhere"))
    folder = tmp_path / "slim"
    save_for_transformers(random_sam(SMALL).state_dict(), SMALL, folder)
    settings = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"model_type": "sam2"}, "found a model of type 'sam2'"),
        ({"vision_config": settings["vision_config"] | {"hidden_act": "relu"}}, "found activations"),
    ):
        (folder / "config.json").write_text(json.dumps(settings | change))
        with pytest.raises(CheckpointError, match=message):
            family(str(folder))
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"found no model\.safetensors"):
        family(str(folder))
