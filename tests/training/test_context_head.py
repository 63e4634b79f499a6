"""The linear head on CLIP's and DINOv2's vectors: its start, its training, its continuation and its study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pedbench.errors import CheckpointError, DatasetError
from pedbench.fetching.digests import digest
from pedbench.inversion.hidden_context import hidden_by_head, visible_square
from pedbench.models.attackers.context_head import load_head
from pedbench.models.hub.embedding import load_embedder
from pedbench.types import Patch, Prior, View
from tests.conftest import PHOTOGRAPHS, TRANSFORMER
from tests.training.short_attackers import recipe, same_after_kills, training

COCO = PHOTOGRAPHS.parent / "coco"


@pytest.fixture(scope="module")
def annotated(scene_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Eight photographs with annotations where they are present, else scenes."""
    if not COCO.is_dir():
        return {
            "images": scene_folder / "images",
            "annotations": scene_folder / "annotations" / "instances.json",
        }
    folder = tmp_path_factory.mktemp("coco")
    content = json.loads((COCO / "annotations" / "instances_val2017.json").read_text(encoding="utf-8"))
    images = content["images"][:8]
    ids = {image["id"] for image in images}
    (folder / "images").mkdir()
    for image in images:
        shutil.copy(COCO / "val2017" / image["file_name"], folder / "images")
    kept = [each for each in content["annotations"] if each["image_id"] in ids]
    (folder / "instances.json").write_text(json.dumps(content | {"images": images, "annotations": kept}))
    return {"images": folder / "images", "annotations": folder / "instances.json"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    folder = tmp_path_factory.mktemp("public") / "tiny-clip"
    torch.manual_seed(0)
    vision = TRANSFORMER | {"image_size": 32, "patch_size": 8}
    text = TRANSFORMER | {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=16)).save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    folder = tmp_path_factory.mktemp("public") / "tiny-dinov2"
    torch.manual_seed(0)
    Dinov2Model(
        Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14)
    ).save_pretrained(folder)
    crop = {"height": 56, "width": 56}
    BitImageProcessor(size={"shortest_edge": 56}, crop_size=crop).save_pretrained(folder)
    return folder


def _run(start: Path, annotated: dict[str, Path], out: Path, **changes: Any) -> Any:
    return training(
        "context", str(start), annotated["images"], out, annotations=annotated["annotations"], **changes
    )


@pytest.mark.slow
def test_a_training_killed_after_every_step_ends_at_the_same_bytes(
    clip: Path, annotated: dict[str, Path], tmp_path: Path
) -> None:
    changes = {"annotations": annotated["annotations"]}
    out = same_after_kills("context", str(clip), annotated["images"], tmp_path, **changes)
    file = out / "context-tiny-clip.safetensors"
    card, manifest = (out / "README.md").read_text(), json.loads((out / "manifest.json").read_text())
    assert manifest["context-tiny-clip"]["sha256"] == digest(file)
    assert digest(clip / "model.safetensors") in card
    assert str(clip) not in card


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "dinov2"])
def test_a_head_starts_at_the_prior_and_learns(
    kind: str, annotated: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    start = request.getfixturevalue(kind)
    changes = {"recipe": recipe(24, rate=2e-2, every=24)}
    _run(start, annotated, tmp_path / start.name, **changes).run()
    rows = [
        json.loads(line) for line in (tmp_path / start.name / "training/log.jsonl").read_text().splitlines()
    ]
    first = next(row for row in rows if "validation mAP" in row)
    # Probabilities of float32 logits.
    assert first["validation bits over the prior"] == pytest.approx(0, abs=1e-4)
    assert first["validation mAP"] == pytest.approx(first["validation prior mAP"], abs=1e-6)
    course = _run(start, annotated, tmp_path / "other", **changes)._course
    batch = course.make_batch(0)
    before = float(course.loss(0, batch)[0].detach())
    course.network.load_state_dict(
        torch.load(tmp_path / start.name / "training/last.pt", weights_only=True)["network"]
    )
    assert float(course.loss(0, batch)[0].detach()) < 0.9 * before


@pytest.mark.slow
def test_the_result_loads_and_reads_nothing_hidden(
    dinov2: Path, annotated: dict[str, Path], tmp_path: Path
) -> None:
    _run(dinov2, annotated, tmp_path / "context-tiny-dinov2").run()
    file = tmp_path / "context-tiny-dinov2" / "context-tiny-dinov2.safetensors"
    head, embedder = load_head(file), load_embedder(str(dinov2), "cpu")
    listed = json.loads(annotated["annotations"].read_text(encoding="utf-8"))["categories"]
    assert head.categories == tuple(sorted(each["name"] for each in listed))
    assert head.encoder == digest(dinov2 / "model.safetensors")
    frame = np.random.default_rng(0).random((40, 60, 3)).astype(np.float32)
    prior = Prior(pictures=(), mean_colour=np.zeros(3, np.float32))
    view = View(
        frame_size=(40, 60),
        prior=prior,
        patches=(Patch(picture=frame[8:24, 16:32], top=8, left=16, server=0),),
    )
    state = load_file(file)
    square = np.broadcast_to(frame[8:24, 16:32].mean((0, 1)), (60, 60, 3)).astype(np.float32).copy()
    square[8:24, 16:32] = frame[8:24, 16:32]
    vector = embedder(square).astype(np.float64) * np.sqrt(len(embedder(square)))
    logits = state["linear.weight"].double().numpy() @ vector + state["linear.bias"].double().numpy()
    np.testing.assert_allclose(hidden_by_head(view, head, embedder), 1 / (1 + np.exp(-logits)), atol=1e-5)
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="found no context network"):
        load_head(tmp_path / "other.safetensors")


def test_nothing_visible_is_a_grey_square() -> None:
    square = visible_square(np.ones((4, 6, 3), np.float32), np.zeros((4, 6), np.bool_))
    np.testing.assert_array_equal(square, np.full((6, 6, 3), 0.5, np.float32))


def test_pictures_without_annotations_are_refused(
    clip: Path, annotated: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="there are no annotations: name the instances file"):
        training("context", str(clip), annotated["images"], tmp_path)
