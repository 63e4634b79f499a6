"""Weights of transformers' SamModel in segment_anything's networks: transformers itself is the reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pedbench.models.architectures import SLIM_SAM, SMALL
from pedbench.models.checkpoints import load
from pedbench.models.errors import CheckpointError
from pedbench.models.sam import build_sam, preprocess
from pedbench.types import Picture
from tests.made_models import make_transformers_sam


def test_embeddings_and_masks_are_those_of_transformers(
    tmp_path: Path, picture: Callable[[int, int], Picture]
) -> None:
    theirs = make_transformers_sam(tmp_path, SMALL)
    ours = load(tmp_path / "model.safetensors", SMALL)
    pixels = preprocess(ours, picture(256, 200))
    expected = theirs.get_image_embeddings(pixels)
    found = ours.image_encoder(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)

    points, labels = torch.tensor([[[60.0, 80.0]]]), torch.ones(1, 1, dtype=torch.int)
    answered = theirs(image_embeddings=expected, input_points=points[None], input_labels=labels[None])
    sparse, dense = ours.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    masks, scores = ours.mask_decoder(
        image_embeddings=found,
        image_pe=ours.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
    )
    torch.testing.assert_close(masks, answered.pred_masks[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(scores, answered.iou_scores[0], rtol=1e-3, atol=1e-3)
    with pytest.raises(CheckpointError, match="expected slimsam"):
        load(tmp_path / "model.safetensors", SLIM_SAM)


def test_slimsam_is_a_sam_of_its_published_size() -> None:
    # nielsr/slimsam-77-uniform and Zigeng/SlimSAM-uniform-77: hidden_size 168, mlp_dim 696, a file of 38.9 MB.
    state = build_sam(SLIM_SAM, allocate=False).state_dict()
    assert state["image_encoder.blocks.0.mlp.lin1.weight"].shape == (696, 168)
    assert sum(values.numel() for values in state.values()) * 4 == pytest.approx(38.9e6, rel=0.01)
