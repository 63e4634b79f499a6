"""Promptable segmenters from folders of `save_pretrained`: what is loaded, and what is refused."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError, MissingWeightsError, PluginUnavailable
from pedbench.models.hub.segmentation import load_segmenter
from tests.made_segmenters import REPVIT, SIDE, make_segmenter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_segmenter(tmp_path / "sam2", "sam2")


def test_preprocessing_is_that_of_the_folder(folder: Path) -> None:
    frame = np.zeros((60, 80, 3), np.float32)
    frame[...] = np.array([0, 51, 255], np.float32) / 255
    pixels = load_segmenter(str(folder), "cpu").preprocess(frame)["pixel_values"]
    assert pixels.shape == (1, 3, SIDE, SIDE)
    expected = [(0 - 0.3) / 0.4, (0.2 - 0.5) / 0.3, (1 - 0.6) / 0.2]
    for channel, value in zip(pixels[0], expected, strict=True):
        assert channel == pytest.approx(value, abs=1e-5)


def test_the_frame_of_sam_is_padded_and_of_sam2_stretched(folder: Path, tmp_path: Path) -> None:
    frame = np.full((60, 80, 3), 0.2, np.float32)
    for name, size in (("sam", (96, 128)), ("sam2", (128, 128))):
        segmenter = load_segmenter(str(make_segmenter(tmp_path / name, name)), "cpu")
        decoder = segmenter.encode(segmenter.preprocess(frame)).decoder
        assert decoder is not None
        assert decoder.canvas == SIDE
        assert getattr(decoder, "frame") == size  # noqa: B009


def test_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    half = make_segmenter(tmp_path / "half", "sam_hq", torch.float16)
    assert json.loads((half / "config.json").read_text())["dtype"] == "float16"
    segmenter = load_segmenter(str(half), "cpu")
    assert {values.dtype for values in segmenter.network.parameters()} == {torch.float32}
    embedding = segmenter.encode(segmenter.preprocess(np.full((60, 80, 3), 0.2, np.float32)))
    assert embedding.features.dtype == torch.float32


def test_what_is_no_segmenter_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"of type 'vit_mae'\nexpected a promptable .* sam2, .*sam_hq"):
        load_segmenter("mae-mini", "cpu")


def test_a_missing_folder_or_processor_is_named(folder: Path) -> None:
    nothing = folder.parent / "nothing"
    with pytest.raises(MissingWeightsError, match=rf"looked for {nothing}/config.json\n"):
        load_segmenter(str(nothing), "cpu")
    (folder / "processor_config.json").unlink()
    with pytest.raises(
        CheckpointError, match=r"found no preprocessor_config.json or processor_config.json\n"
    ):
        load_segmenter(str(folder), "cpu")


def test_missing_weights_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["no_memory_embedding"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="found no weights for no_memory_embedding"):
        load_segmenter(str(folder), "cpu")


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_an_encoder_of_timm_says_what_to_install(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["backbone_config"] = REPVIT
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(PluginUnavailable, match=r"pip install timm"):
        load_segmenter(str(folder), "cpu")
