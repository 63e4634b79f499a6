"""Detectors from folders of `save_pretrained`: of several architectures, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.models.hub.detection import load_detector
from pedbench.probes.objects import Objects

NAMES = {0: "cup", 1: "person", 2: "tv"}


def yolos(folder: Path) -> Any:
    """Of the kind that brings every picture to a shortest edge, and has a class for nothing."""
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    config = YolosConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[64, 64],
        num_detection_tokens=5,
        id2label=NAMES,
    )
    network = YolosForObjectDetection(config)
    network.save_pretrained(folder)
    YolosImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(folder)
    return network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    yolos(tmp_path / "yolos")
    return tmp_path / "yolos"


def test_boxes_are_the_networks_on_the_square_that_holds_the_picture(folder: Path) -> None:
    picture = np.random.default_rng(0).random((70, 100, 3)).astype(np.float32)
    detector = load_detector(str(folder), "cpu")
    found = detector(picture, 1e-6)
    assert len(found) == 5
    square = np.full((352, 352, 3), 128, np.uint8)
    square[:70, :100] = np.rint(picture * 255)
    pixels = detector.processor(images=square, return_tensors="pt")["pixel_values"]
    assert pixels.shape[2:] == (64, 64)
    with torch.no_grad():
        out = detector.network(pixels)
    scores, labels = out.logits[0].softmax(-1)[:, :-1].max(-1)
    for each, score, label, (x, y, width, height) in zip(
        found, scores.tolist(), labels.tolist(), (out.pred_boxes[0] * 352).tolist(), strict=True
    ):
        assert each.category == NAMES[label]
        assert each.confidence == pytest.approx(score)
        assert each.box == pytest.approx((x - width / 2, y - height / 2, width, height), abs=1e-3)


def test_the_probe_takes_any_detector(folder: Path) -> None:
    probe = Objects(model=str(folder), threshold=0.01)
    probe.prepare("cpu")
    claims = probe.claims(np.random.default_rng(0).random((400, 380, 3)).astype(np.float32))
    assert {claim.kind for claim in claims} == {"object"}
    assert {claim.content for claim in claims} <= set(NAMES.values())
    assert probe.files == (folder,)


def test_what_cannot_be_used_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"found a model of type 'vit_mae'"):
        load_detector("mae-mini", "cpu")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"found no preprocessor_config.json"):
        load_detector(str(folder), "cpu")
    with pytest.raises(CheckpointError, match=r"looked for"):
        load_detector(str(folder.parent / "nothing"), "cpu")


def test_weights_that_are_missing_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state[next(name for name in state if "bbox_predictor" in name)]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"found no weights for .*bbox_predictor"):
        load_detector(str(folder), "cpu")
