"""LPIPS against torchmetrics' implementation with the same trunk, its conventions and its weights."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torchmetrics.functional.image.lpips import _LPIPS as Reference

from pedbench.metrics.learned_perceptual_similarity import (
    BORDER,
    LearnedPerceptualSimilarity,
    build_network,
    distance_maps,
)
from pedbench.training.tasks.perceptual import STRENGTHS, distorted
from pedbench.types import Picture


@pytest.fixture(name="truth", scope="module")
def _truth() -> Picture:
    picture: Picture = (data.astronaut()[60:156, 150:278] / 255).astype(np.float32)
    return picture


@pytest.fixture(name="guesses", scope="module")
def _guesses(truth: Picture) -> list[Picture]:
    noise = np.random.default_rng(0).normal(0, 0.1, truth.shape)
    return [np.clip(truth + noise, 0, 1).astype(np.float32), np.full_like(truth, 0.5)]


@pytest.fixture(name="trunk", scope="module")
def _trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like torchvision's own for SqueezeNet."""
    from torchvision.models import squeezenet1_1

    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "squeezenet1_1.pth"
    torch.save(squeezenet1_1().state_dict(), path)
    return path


def test_map_equals_torchmetrics_with_the_same_trunk(
    truth: Picture, guesses: list[Picture], trunk: Path
) -> None:
    metric = LearnedPerceptualSimilarity(net="squeeze", weights=str(trunk))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric.prepare("cpu")
    reference = Reference(pretrained=True, net="squeeze", spatial=True, pnet_rand=True)
    # Both hold the layers in torchvision's order, under names of their own.
    state = [v for k, v in torch.load(trunk, weights_only=True).items() if k.startswith("features.")]
    reference.net.load_state_dict(dict(zip(reference.net.state_dict(), state, strict=True)))

    def batch(picture: Picture) -> torch.Tensor:
        border = [(BORDER, BORDER), (BORDER, BORDER), (0, 0)]
        return torch.tensor(np.pad(picture, border, mode="reflect")).permute(2, 0, 1)[None]

    maps = distance_maps(metric._network, guesses, truth)
    for ours, guess in zip(maps, guesses, strict=True):
        theirs = reference(batch(guess), batch(truth), normalize=True)[0, 0, BORDER:-BORDER, BORDER:-BORDER]
        assert np.abs(ours - theirs.numpy()).max() < 1e-5
    assert metric.column == "LPIPS-squeeze"


def test_untrained_trunk_is_the_same_everywhere_and_named(truth: Picture, guesses: list[Picture]) -> None:
    metric = LearnedPerceptualSimilarity(net="random")
    torch.manual_seed(1)
    metric.prepare("cpu")
    whole = {"whole": np.ones(truth.shape[:2], bool)}
    noisy, grey, exact = (value["whole"] for value in metric([*guesses, truth], truth, whole))
    assert metric.column == "LPIPS-random"
    assert exact == 0
    assert 0 < noisy < grey
    first = np.random.default_rng(0).standard_normal(3 * 3 * 3 * 64)[:27] * np.sqrt(2 / 27)
    assert metric._network.net.slice1[0].weight[0].flatten().numpy() == pytest.approx(first, rel=1e-6)


@pytest.mark.parametrize("kind", STRENGTHS)
@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_scoring_trunk_sees_distortions_grow_on_photographs_it_never_saw(kind: str, name: str) -> None:
    metric = LearnedPerceptualSimilarity()
    metric.prepare("cpu")
    picture = (getattr(data, name)()[:200, :240] / 255).astype(np.float32)
    whole = {"whole": np.ones(picture.shape[:2], bool)}
    guesses = [picture, *distorted(picture, kind, np.random.default_rng(0))]
    found = [value["whole"] for value in metric(guesses, picture, whole)]
    assert metric.column == "LPIPS-scoring"
    assert found[0] == 0
    assert (np.diff(found) > 0).all(), found


def test_map_of_the_scoring_trunk_equals_lpips_own_distance(truth: Picture, guesses: list[Picture]) -> None:
    network = build_network("scoring", "", "cpu")
    border = [(BORDER, BORDER), (BORDER, BORDER), (0, 0)]
    batch = [
        torch.from_numpy(np.pad(picture, border, mode="reflect")).permute(2, 0, 1)[None]
        for picture in (truth, *guesses)
    ]
    for ours, guess in zip(distance_maps(network, guesses, truth), batch[1:], strict=True):
        theirs = network(guess, batch[0], normalize=True)[0, 0, BORDER:-BORDER, BORDER:-BORDER]
        assert np.abs(ours - theirs.numpy()).max() < 1e-5


def test_scores_do_not_depend_on_the_batch(truth: Picture, guesses: list[Picture]) -> None:
    metric = LearnedPerceptualSimilarity()
    metric.prepare("cpu")
    region = np.zeros(truth.shape[:2], bool)
    region[10:60, 20:90] = True
    together = metric(guesses, truth, {"region": region})
    alone = [metric([guess], truth, {"region": region})[0] for guess in guesses]
    assert [value["region"] for value in together] == pytest.approx(
        [value["region"] for value in alone], rel=1e-5
    )


@pytest.mark.slow
def test_nets_and_weights_go_together(trunk: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)looked for .*alexnet-owt.*pedbench fetch lpips_alex"):
        LearnedPerceptualSimilarity(net="alex").prepare("cpu")
    with pytest.raises(ValueError, match="'random' takes no weights"):
        LearnedPerceptualSimilarity(net="random", weights=str(trunk)).prepare("cpu")
    with pytest.raises(ValueError, match=r"lacks features\.\d+"):
        LearnedPerceptualSimilarity(net="vgg", weights=str(trunk)).prepare("cpu")
    with pytest.raises(ValueError, match=r"lacks stages\.0"):
        LearnedPerceptualSimilarity(net="scoring", weights=str(trunk)).prepare("cpu")
