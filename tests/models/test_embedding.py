"""Embedders from folders of `save_pretrained`: what they return, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pedbench.errors import CheckpointError
from pedbench.models.hub.embedding import load_embedder
from pedbench.types import Picture
from tests.conftest import TRANSFORMER


def clip(folder: Path) -> Any:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    vision = TRANSFORMER | {"image_size": 32, "patch_size": 8}
    text = TRANSFORMER | {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    network = CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=16)).eval()
    network.save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop).save_pretrained(folder)
    return network


@pytest.fixture(name="picture")
def _picture() -> Picture:
    return (np.random.default_rng(0).integers(0, 256, (48, 64, 3)) / 255).astype(np.float32)


def test_vectors_are_those_that_clip_compares(picture: Picture, tmp_path: Path) -> None:
    network = clip(tmp_path)
    embedder = load_embedder(str(tmp_path), "cpu")
    inputs = embedder.processor(images=image_of(picture), return_tensors="pt")
    with torch.no_grad():
        expected = network.visual_projection(network.vision_model(**inputs).pooler_output)[0].numpy()
    vector = embedder(picture)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize("pooled", [True, False])
def test_vectors_are_those_of_the_pipeline(
    pooled: bool, picture: Picture, tmp_path: Path, tiny_vit: Any
) -> None:
    from transformers import pipeline

    tiny_vit(tmp_path)
    features = pipeline("image-feature-extraction", model=str(tmp_path), device="cpu")
    expected = np.array(features(image_of(picture), pool=pooled)[0])
    embedder = load_embedder(str(tmp_path), "cpu")
    if not pooled:
        embedder.network.pooler = None
        expected = expected.mean(axis=0)
    np.testing.assert_allclose(embedder(picture), expected / np.linalg.norm(expected), atol=1e-6)


def image_of(picture: Picture) -> Image.Image:
    return Image.fromarray(np.rint(picture * 255).astype(np.uint8))


def test_what_cannot_be_used_is_refused(tmp_path: Path, tiny_vit: Any) -> None:
    with pytest.raises(CheckpointError, match=r"no embedder .*looked for .*nothing/config.json"):
        load_embedder(str(tmp_path / "nothing"), "cpu")
    with pytest.raises(CheckpointError, match="found a model of type 'rt_detr"):
        load_embedder("objects-mini", "cpu")
    tiny_vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"found no weights in \.safetensors files"):
        load_embedder(str(tmp_path), "cpu")
