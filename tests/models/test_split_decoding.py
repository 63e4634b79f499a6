"""The decoder of split inference: where it starts, and what its blocks mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pedbench.models.attackers.sized import save_sized
from pedbench.models.attackers.split_decoding import (
    SplitDecoderNetwork,
    SplitDecoderSizes,
    load_split_decoder,
)

SMALL = SplitDecoderSizes(side=8, patch=4, width=16, depth=1, rounds=1, heads=2, detail=4)


@pytest.fixture
def network() -> SplitDecoderNetwork:
    torch.manual_seed(0)
    return SplitDecoderNetwork(SMALL)


def test_it_starts_at_the_least_squares_estimate(network: SplitDecoderNetwork) -> None:
    rng = np.random.default_rng(0)
    patches = rng.random((640, 48))
    tokens = patches @ rng.normal(size=(48, 16)) + 3 + 0.1 * rng.normal(size=(640, 16))
    network.start_linear(4, torch.tensor(tokens).float(), torch.tensor(patches).float())
    with torch.no_grad():
        pictures = network(torch.tensor(tokens).float().reshape(10, 8, 8, 16), 4)
    found = pictures.reshape(10, 3, 8, 4, 8, 4).permute(0, 2, 4, 1, 3, 5).reshape(640, 48)
    design = np.hstack([tokens, np.ones((640, 1))])
    expected = design @ np.linalg.lstsq(design, patches, rcond=None)[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)


def test_first_blocks_mix_tokens_within_windows_alone(network: SplitDecoderNetwork) -> None:
    torch.nn.init.normal_(network.planes.weight)
    tokens = torch.randn(1, 8, 8, 16)
    changed = tokens.clone()
    changed[0, 1, 6] += 1
    with torch.no_grad():
        difference = (network(changed, 2) - network(tokens, 2)).abs().sum(dim=1)[0]
    window = np.zeros((32, 32), np.bool_)
    window[:16, 16:] = True
    # The convolutions are zero here, so no pixel depends on another window.
    assert (difference.numpy()[~window] == 0).all()
    assert (difference.numpy()[window] > 0).all()


def test_saved_networks_come_back(network: SplitDecoderNetwork, tmp_path: Path) -> None:
    save_sized(network.half(), tmp_path / "net.safetensors")
    network.float()
    repeated = load_split_decoder(tmp_path / "net.safetensors")
    tokens = torch.randn(2, 8, 8, 16)
    with torch.no_grad():
        torch.testing.assert_close(repeated(tokens, 6), network(tokens, 6))
    assert repeated.sizes == SMALL
