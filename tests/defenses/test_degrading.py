from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import block_reduce

from pedbench.plugins.defenses.downsample import Downsample
from pedbench.plugins.defenses.gaussian_blur import GaussianBlur
from pedbench.plugins.defenses.jpeg import Jpeg
from pedbench.plugins.defenses.pixelate import Pixelate, pixelate
from pedbench.privacy.disclosure_audit import Audit
from pedbench.types import Picture


@given(height=st.integers(1, 20), width=st.integers(1, 20), side=st.integers(1, 25))
def test_blocks_hold_their_mean(height: int, width: int, side: int) -> None:
    frame = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    found = pixelate(frame, side)
    assert found.shape == frame.shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            block = np.s_[top : top + side, left : left + side]
            assert np.allclose(found[block], frame[block].mean(axis=(0, 1)), atol=1e-6)


def test_whole_blocks_are_those_of_skimage() -> None:
    frame = np.random.default_rng(0).random((24, 16, 3), dtype=np.float32)
    assert np.allclose(pixelate(frame, 8)[::8, ::8], block_reduce(frame, (8, 8, 1), np.mean), atol=1e-6)


def test_strengths_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="sigma"):
        GaussianBlur(sigma=0)
    with pytest.raises(ValueError, match="block"):
        Pixelate(block=1.5)
    with pytest.raises(ValueError, match="found 100"):
        Jpeg(quality=100)
    with pytest.raises(ValueError, match="found 1"):
        Downsample(factor=1)


@pytest.mark.parametrize(
    ("defense", "network"),
    [
        (GaussianBlur(), "original"),
        (GaussianBlur(weights="fine-tuned"), "blurred"),
        (Pixelate(), "original"),
        (Pixelate(weights="fine-tuned"), "pixelated"),
    ],
)
def test_the_network_that_was_tuned_to_the_degradation_runs(mini: Any, defense: Any, network: str) -> None:
    frame = mini.picture()
    done = mini.run(defense, frame)
    assert done.received[0].arguments["weights"] == network
    assert done.embedding.network is mini.networks.network(network)
    assert defense.networks == (network,)
    with pytest.raises(ValueError, match="weights is 'small'; known: original, fine-tuned"):
        type(defense)(weights="small")


def waves() -> Picture:
    rows, columns = np.mgrid[:240, :320]
    picture = 0.5 + 0.2 * np.sin(rows[..., None] / (5, 7, 9)) + 0.2 * np.cos(columns[..., None] / (9, 6, 8))
    levels: Picture = (np.rint(picture * 255) / 255).astype(np.float32)
    return levels


def received(mini: Any, defense: Any, frame: Picture) -> Picture:
    """What the server shows, once the audit had nothing to say."""
    _, (seen,), found = mini.judge(defense, frame)
    assert found == Audit(whole_visible=(), invalid=())
    picture: Picture = seen.patches[0].picture
    assert picture.shape == frame.shape
    return picture


def test_jpeg_loses_more_at_lower_quality(mini: Any) -> None:
    frame = waves()
    errors = [float(np.abs(received(mini, Jpeg(quality=q), frame) - frame).mean()) for q in (95, 50, 10, 1)]
    assert errors == sorted(errors)
    assert 0 < errors[0] < 1.5 / 255
    assert errors[-1] > 10 / 255


def test_jpeg_halves_chroma_both_ways(mini: Any) -> None:
    # Red and green of one luminance take turns: at full resolution of chroma 95 would keep them apart.
    frame = np.zeros((64, 320, 3), np.float32)
    frame[:, ::2] = np.array((128, 0, 0), np.float32) / 255
    frame[:, 1::2] = np.array((0, 65, 0), np.float32) / 255
    found = received(mini, Jpeg(quality=95), frame)
    assert np.abs(found[:, ::2] - found[:, 1::2]).max() < 0.3 * np.abs(frame[:, ::2] - frame[:, 1::2]).max()


def test_a_lower_resolution_keeps_what_is_coarse_and_loses_what_is_fine(mini: Any) -> None:
    coarse = waves()
    assert np.abs(received(mini, Downsample(factor=2), coarse) - coarse)[8:-8, 8:-8].max() < 4 / 255
    fine = np.broadcast_to(np.indices((240, 320)).sum(axis=0)[..., None] % 2, (240, 320, 3))
    grey = received(mini, Downsample(), fine.astype(np.float32))
    assert np.abs(grey - 0.5).max() < 3 / 255
