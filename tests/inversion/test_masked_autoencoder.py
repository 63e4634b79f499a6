"""Patches of a masked autoencoder, against loops and against brute force."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pedbench.inversion.masked_autoencoder import (
    PatchLayout,
    neighbour_statistics,
    patchify,
    predict_patches,
    unpatchify,
)
from pedbench.models.attackers.vitmae import fit_positions, load_autoencoder
from pedbench.types import Mask
from tests.made_models import make_autoencoder


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_autoencoder(tmp_path_factory.mktemp("mini"))


def test_every_number_of_patches_can_be_kept(mini: Path) -> None:
    network = load_autoencoder(str(mini)).network
    small = fit_positions(network, 7)
    pictures, ranks = torch.zeros(1, 3, 112, 112), torch.randperm(49)[None]
    for k in range(1, 49):
        # Raises if the network keeps others.
        predict_patches(small, pictures, ranks < k)
    # The plain ratio loses one here and there.
    assert any(int(49 * (1 - (1 - k / 49))) != k for k in range(1, 49))


def test_counts_that_the_network_cannot_keep_are_refused(mini: Path) -> None:
    network = load_autoencoder(str(mini)).network
    pictures = torch.zeros(2, 3, 320, 320)
    for counts in ((0, 0), (400, 400), (3, 4)):
        kept = torch.arange(400) < torch.tensor(counts)[:, None]
        with pytest.raises(ValueError, match="same number of kept patches, 1 to 399"):
            predict_patches(network, pictures, kept)


def test_patches_are_cut_as_a_loop_cuts_them() -> None:
    pictures = torch.rand(2, 3, 12, 12)
    expected = [
        [
            [
                pictures[b, c, 4 * row + y, 4 * column + x]
                for y in range(4)
                for x in range(4)
                for c in range(3)
            ]
            for row in range(3)
            for column in range(3)
        ]
        for b in range(2)
    ]
    assert torch.equal(patchify(pictures, 4), torch.tensor(expected))
    assert torch.equal(unpatchify(patchify(pictures, 4), 4), pictures)


def _brute_kept(seen: Mask, over: PatchLayout) -> Mask:
    kept = np.zeros((over.count, over.count), bool)
    canvas = np.zeros((over.canvas, over.canvas), bool)
    canvas[: seen.shape[0], : seen.shape[1]] = seen
    for row in range(over.count):
        for column in range(over.count):
            inside = [
                canvas[y, x]
                for y in range(over.canvas)
                for x in range(over.canvas)
                if (y + 1) * over.count > row * over.canvas and y * over.count < (row + 1) * over.canvas
                if (x + 1) * over.count > column * over.canvas and x * over.count < (column + 1) * over.canvas
            ]
            kept[row, column] = all(inside)
    return kept


def test_only_patches_seen_as_a_whole_are_kept() -> None:
    rng = np.random.default_rng(0)
    for canvas, count in ((28, 6), (20, 5), (14, 9)):
        over = PatchLayout(canvas=canvas, count=count, patch=4)
        seen = rng.random((canvas, canvas - 3)) < 0.97
        np.testing.assert_array_equal(over.kept(seen), _brute_kept(seen, over))


def test_statistics_of_neighbours() -> None:
    patches, kept = torch.rand(9, 12), torch.zeros(9, dtype=torch.bool)
    kept[[0, 5]] = True
    mean, variance = neighbour_statistics(patches, kept)
    # Patch 8 is 8 away, squared, from patch 0 and 1 from patch 5.
    weights = np.array([1 / 8, 1]) / (1 / 8 + 1)
    assert mean[8].item() == pytest.approx(weights @ patches[[0, 5]].mean(1).numpy(), rel=1e-5)
    assert variance[8].item() == pytest.approx(weights @ patches[[0, 5]].var(1).numpy(), rel=1e-5)
    assert mean[5].item() == pytest.approx(patches[5].mean().item(), rel=1e-4)
