"""The obfuscator: where it starts, what whoever receives its tokens can recover, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pedbench.models.attackers.sized import save_sized
from pedbench.models.obfuscator import Obfuscator, ObfuscatorSizes, load_obfuscator

SMALL = ObfuscatorSizes(blocks=1, width=12, channels=5)


@pytest.fixture
def network() -> Obfuscator:
    torch.manual_seed(0)
    return Obfuscator(SMALL)


def test_it_starts_at_the_principal_components(network: Obfuscator) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(400, 12)) @ rng.normal(size=(12, 12)) + 3
    examples = torch.from_numpy(tokens).float()
    network.start(examples, amplitude=4)
    with torch.no_grad():
        channels = network.project(examples).numpy()
        found = network(examples, torch.zeros(400, 5)).numpy()
    # The noise has the covariance one, so this is the channels' relative to it.
    np.testing.assert_allclose(np.cov(channels.T), 16 * np.eye(5), atol=1e-2)
    mean = tokens.mean(axis=0)
    left, values, right = np.linalg.svd(tokens - mean, full_matrices=False)
    np.testing.assert_allclose(found, mean + left[:, :5] * values[:5] @ right[:5], atol=1e-3)


def test_its_noisy_channels_are_recovered_from_its_tokens(network: Obfuscator) -> None:
    tokens, noise = torch.randn(3, 12), torch.randn(3, 5)
    with torch.no_grad():
        expected = network.project(tokens) + noise
        torch.testing.assert_close(network.channels(network(tokens, noise)), expected, atol=1e-4, rtol=1e-4)


def test_saved_obfuscators_come_back(network: Obfuscator, tmp_path: Path) -> None:
    save_sized(network, tmp_path / "net.safetensors")
    repeated = load_obfuscator(tmp_path / "net.safetensors")
    assert repeated.sizes == SMALL
    assert all(torch.equal(value, repeated.state_dict()[key]) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match="pedbench train missing"):
        load_obfuscator(tmp_path / "missing.safetensors")
