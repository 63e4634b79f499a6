"""The encoder cut in two at any block, against the encoder in one piece."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.base import Networks
from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.assembly import build_sam, preprocess, randomise
from pedbench.offload.operations.blocks import FinishBlocks
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.split_blocks import SplitBlocks
from pedbench.privacy.disclosure_audit import Audit
from pedbench.types import Patch, Tokens


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.4, 0.5, 1.0])
def test_any_cut_gives_the_whole_encoder(setting: Any, share: float) -> None:
    frame = setting.picture(0.75, 1)
    *states, expected = setting.states(frame)
    blocks = round(share * (len(states) - 1))
    done, (seen,), found = setting.judge(SplitBlocks(blocks=blocks), frame)
    assert (done.embedding.features - expected).abs().max() < 1e-4
    assert found == Audit(whole_visible=(), invalid=())
    (tokens,) = seen.tokens
    assert tokens.depth == blocks
    assert np.abs(tokens.values - states[blocks][0].numpy()[tuple(tokens.positions.T)]).max() < 1e-4
    # Behind the patch embedding what lies beyond the frame is the same for all; later it has mixed.
    height, width = states[0].shape[1:3]
    assert len(tokens.values) == (round(0.75 * height) if blocks == 0 else height) * width
    assert seen.footprint(frame.shape[:2]).all()


def test_half_precision_is_near_and_passes_the_audit(mini: Any) -> None:
    frame = mini.picture()
    done, _, found = mini.judge(SplitBlocks(dtype="float16"), frame)
    *_, expected = mini.states(frame)
    assert 0 < (done.embedding.features - expected).abs().max() < 2e-2
    assert found == Audit(whole_visible=(), invalid=())
    full = mini.run(SplitBlocks(), frame)
    assert done.exchanges[0].bytes_up == pytest.approx(full.exchanges[0].bytes_up / 2, rel=0.01)


@dataclass
class One(Networks):
    sam: Any

    def network(self, weights: str) -> Any:
        return self.sam


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "levels"), [("float32", 0.0), ("float16", 0.5)])
def test_a_wide_patch_embedding_shows_the_pixels(dtype: str, levels: float) -> None:
    wide = Architecture(
        name="wide", image_size=64, embed_dim=1024, depth=2, heads=4, global_blocks=(1,), window_size=3
    )
    sam = build_sam(wide)
    randomise(sam, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 3)).astype(np.uint8)
    with torch.inference_mode():
        encoder = sam.image_encoder
        tokens = (encoder.patch_embed(preprocess(sam, pixels)) + encoder.pos_embed)[0].numpy()
    payload = {"tokens": tokens.astype(dtype), "frame": np.array((40, 64), np.int32)}
    arguments = {"weights": "original", "reply": "float32", "first": "0"}
    (seen,) = FinishBlocks().observe(payload, arguments, One(sam), 0, 0)
    assert isinstance(seen, Patch)
    assert np.abs(to_uint8(seen.picture).astype(int) - pixels).mean() <= levels
    (deeper,) = FinishBlocks().observe(payload, {**arguments, "first": "1"}, One(sam), 0, 0)
    assert isinstance(deeper, Tokens)
    payload["tokens"][-1, 0, 0] += 1
    with pytest.raises(ValueError, match="beyond the frame"):
        FinishBlocks().observe(payload, arguments, One(sam), 0, 0)


def test_wrong_parameters_are_refused(mini: Any) -> None:
    with pytest.raises(ValueError, match="-1"):
        SplitBlocks(blocks=-1)
    with pytest.raises(ValueError, match="bfloat16"):
        SplitBlocks(dtype="bfloat16")
    with pytest.raises(ValueError, match="found blocks 0 to 9 of an encoder that has 8"):
        mini.run(SplitBlocks(blocks=9), mini.picture())
