"""Metrics on photographs against scikit-image, torchmetrics and lpips, which share no code with ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio as skimage_ratio
from skimage.metrics import structural_similarity as skimage_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_ratio
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_similarity
from torchmetrics.functional.image.lpips import _LPIPS as TorchmetricsDistance

from pedbench.metrics.learned_perceptual_similarity import (
    BORDER,
    LearnedPerceptualSimilarity,
    distance_maps,
)
from pedbench.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from pedbench.metrics.structural_similarity import StructuralSimilarity, similarity_maps
from pedbench.types import Picture

Net = Literal["alex", "vgg", "squeeze"]

pytestmark = pytest.mark.data


def guesses(truth: Picture) -> list[Picture]:
    """Return guesses such as attacks make: noise, blur, a shift, one colour."""
    noise = np.random.default_rng(0).normal(0, 0.1, truth.shape)
    found: list[npt.NDArray[Any]] = [
        truth + noise,
        ndimage.gaussian_filter(truth, (2, 2, 0)),
        np.roll(truth, 5, axis=1),
        np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape),
    ]
    return [np.clip(guess, 0, 1).astype(np.float32) for guess in found]


def tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None]


@pytest.fixture
def in_float64() -> Iterator[None]:
    """torchmetrics makes its constants in the default type: in float32, 1e-6 dB is beyond them."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("in_float64")
def test_ratio_equals_skimage_and_torchmetrics(photographs: list[Picture]) -> None:
    for truth in photographs:
        whole = {"whole": np.ones(truth.shape[:2], bool)}
        found = PeakSignalNoiseRatio()(guesses(truth), truth, whole)
        for guess, values in zip(guesses(truth), found, strict=True):
            theirs = skimage_ratio(truth.astype(np.float64), guess.astype(np.float64), data_range=1)
            assert values["whole"] == pytest.approx(theirs, abs=1e-6)
            theirs = float(torchmetrics_ratio(tensor(guess), tensor(truth), data_range=1.0))
            assert values["whole"] == pytest.approx(theirs, abs=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("in_float64")
def test_similarity_equals_skimage_and_torchmetrics(photographs: list[Picture]) -> None:
    for truth in photographs[:4]:
        whole = {"whole": np.ones(truth.shape[:2], bool)}
        found = StructuralSimilarity()(guesses(truth), truth, whole)
        maps = similarity_maps(guesses(truth), truth)
        for guess, values, ours in zip(guesses(truth), found, maps, strict=True):
            cropped, full = skimage_similarity(
                truth.astype(np.float64),
                guess.astype(np.float64),
                gaussian_weights=True,
                use_sample_covariance=False,
                data_range=1,
                channel_axis=2,
                full=True,
            )
            assert values["whole"] == pytest.approx(full.mean(), abs=1e-6)
            # Where the window lies within the picture: beyond, torchmetrics mirrors in another way.
            assert ours[5:-5, 5:-5].mean() == pytest.approx(cropped, abs=1e-6)
            # It takes long for large pictures.
            part = np.s_[20:100, 30:110]
            _, theirs = torchmetrics_similarity(
                tensor(guess[part]), tensor(truth[part]), sigma=1.5, data_range=1.0, return_full_image=True
            )
            found_there = similarity_maps([guess[part]], truth[part])[0]
            assert np.abs(found_there - theirs[0].mean(dim=0).numpy())[5:-5, 5:-5].max() < 1e-6


@pytest.fixture(scope="module")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a file like torchvision's own for a trunk, with random weights; what is not in the trunk is left out."""
    from torchvision import models

    networks = {"alex": models.alexnet, "vgg": models.vgg16, "squeeze": models.squeezenet1_1}

    def make(net: Net) -> Path:
        torch.manual_seed(3)
        path: Path = tmp_path_factory.mktemp("weights") / f"{net}.pth"
        with torch.device("meta"):
            network = networks[net]()
        features = network.features.to_empty(device="cpu")
        for values in features.parameters():
            torch.nn.init.normal_(values, std=(2 / values[0].numel()) ** 0.5 if values.ndim > 1 else 0.1)
        torch.save({f"features.{name}": values for name, values in features.state_dict().items()}, path)
        return path

    return make


@pytest.mark.parametrize("net", ["alex", pytest.param("vgg", marks=pytest.mark.long), "squeeze"])
def test_distance_equals_lpips_and_torchmetrics(net: Net, photographs: list[Picture], trunks: Any) -> None:
    path = trunks(net)
    metric = LearnedPerceptualSimilarity(net=net, weights=str(path))
    metric.prepare("cpu")
    trunk = list(torch.load(path, weights_only=True).values())
    torchmetrics = TorchmetricsDistance(pretrained=True, net=net, spatial=True, pnet_rand=True)
    # It holds the layers in torchvision's order, under names of its own.
    torchmetrics.net.load_state_dict(dict(zip(torchmetrics.net.state_dict(), trunk, strict=True)))
    references = [torchmetrics, metric._network]
    for picture in photographs[:3]:
        truth = picture[20:100, 30:110]
        maps = distance_maps(metric._network, guesses(truth), truth)
        whole = metric(guesses(truth), truth, {"whole": np.ones(truth.shape[:2], bool)})
        assert maps.mean() > 1e-3
        for ours, values, guess in zip(maps, whole, guesses(truth), strict=True):
            for reference in references:
                with torch.inference_mode():
                    found = reference(mirrored(guess), mirrored(truth), normalize=True)[0, 0].numpy()
                theirs = found[BORDER:-BORDER, BORDER:-BORDER]
                assert np.abs(ours - theirs).max() < 1e-5
                assert values["whole"] == pytest.approx(theirs.mean(), abs=1e-5)


def mirrored(picture: Picture) -> torch.Tensor:
    border = [(BORDER, BORDER), (BORDER, BORDER), (0, 0)]
    return torch.from_numpy(np.pad(picture, border, mode="reflect")).permute(2, 0, 1)[None]
