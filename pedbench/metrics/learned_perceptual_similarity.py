"""Distance of a guess to the truth in the features of a network (LPIPS)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from pedbench.base import Metric
from pedbench.errors import MissingWeightsError
from pedbench.fetching.catalogue import entry
from pedbench.fetching.fetch import provider
from pedbench.host.home import home
from pedbench.models.manifest import shipped, verify_weights
from pedbench.pictures.regions import interior_means
from pedbench.types import Mask, Picture

if TYPE_CHECKING:
    import torch
    from lpips import LPIPS

BORDER = 16
"""Width in pixels of the mirrored border that keeps the trunk's zero padding away from the frame."""

TOGETHER = 8
"""Guesses in a batch; more take memory and are no faster."""

_EPSILON = 1e-10
"""Offset of the divisor in lpips' `normalize_tensor`."""

Trunk = Literal["scoring", "mini", "random", "alex", "vgg", "squeeze"]

OWN: dict[str, Path] = {
    "scoring": shipped("scoring-mini.safetensors"),
    "mini": shipped("lpips-mini.safetensors"),
}
"""Trunks that pedbench ships; "mini" is the one in the attackers' training loss, and "scoring" is in none."""

_UNCALIBRATED = ("scoring", "mini", "random")
"""Trunks without linear layers of lpips: all channels weigh equally."""


def trunk_file(net: Trunk) -> str:
    """Return the path of a trunk's weights, whether or not the file exists; "" for "random"."""
    if net == "random":
        return ""
    return str(OWN.get(net) or home() / entry(f"lpips_{net}").files[0].path)


def build_network(net: Trunk, weights: str, device: str) -> LPIPS:
    """Assemble lpips' network without downloading anything.

    Args:
        net: "scoring" is a `ScoringTrunk`, "mini" a SqueezeNet trained on scenes, "random" a SqueezeNet with
            seeded untrained weights; these weight all layers and channels equally. The others are
            torchvision's classifiers with lpips' linear layers.
        weights: File with the trunk's state dict, torchvision's for all but "scoring"; "" for the shipped or
            fetched one.
        device: Device of the network.

    Returns:
        `lpips.LPIPS` in evaluation mode, with `spatial=True`.

    Raises:
        ValueError: "random" with weights, or weights of a different trunk.
        CheckpointError: The file is missing, or the shipped trunk differs from the manifest.
    """
    weights = weights or trunk_file(net)
    if net in OWN and weights == str(OWN[net]):
        verify_weights(OWN[net].stem, OWN[net])
    if net == "random" and weights:
        raise ValueError(f"LPIPS net 'random' takes no weights, found {weights!r}")
    import torch

    from pedbench.models.scoring_trunk import CHANNELS, ScoringTrunk

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The parameter 'pretrained' is deprecated")
        warnings.filterwarnings("ignore", message="Arguments other than a weight enum or `None`")
        from lpips import LPIPS

        network = LPIPS(
            net="squeeze" if net in _UNCALIBRATED else net,
            lpips=net not in _UNCALIBRATED,
            pnet_rand=True,
            spatial=True,
            verbose=False,
        )
    if net == "scoring":
        network.net, network.L = ScoringTrunk(fused=True), len(CHANNELS)
        # This trunk was trained on pixels in [-1, 1].
        network.scaling_layer = torch.nn.Identity()
    if net == "random":
        _draw_weights(network.net)
    else:
        _load_trunk(network.net, weights, grouped=net != "scoring")
    # On CPUs, convolutions of few channels are twice as fast in this order.
    return network.requires_grad_(False).to(device).to(memory_format=torch.channels_last)


def _draw_weights(trunk: torch.nn.Module) -> None:
    """Draw He-normal weights from NumPy's generator, whose stream does not depend on torch's version."""
    import torch

    rng = np.random.default_rng(0)
    for values in trunk.parameters():
        if values.ndim > 1:
            spread = np.sqrt(2 / np.prod(values.shape[1:]))
            weights = rng.standard_normal(tuple(values.shape)) * spread
            values.data.copy_(torch.from_numpy(weights))
        else:
            values.data.zero_()


def _load_trunk(trunk: torch.nn.Module, path: str, *, grouped: bool) -> None:
    from pedbench.models.sam.checkpoints import read_state

    if not Path(path).is_file():
        name = provider(Path(path))
        get = f"to get it: pedbench fetch {name}" if name else "expected the trunk's weights"
        raise MissingWeightsError(f"no weights of the LPIPS trunk: looked for {path}\n{get}")
    state = read_state(path)
    # lpips groups torchvision's layers in slices: slice2.3.bias is features.3.bias.
    names = {key: "features." + key.split(".", 1)[1] if grouped else key for key in trunk.state_dict()}
    missing = sorted(set(names.values()) - set(state))
    if missing:
        raise ValueError(f"{path} lacks {missing[0]} and {len(missing) - 1} more tensors of the LPIPS trunk")
    for key, value in trunk.state_dict().items():
        if state[names[key]].shape != value.shape:
            found = f"{names[key]} of shape {tuple(state[names[key]].shape)}"
            raise ValueError(
                f"{path} has {found}, the LPIPS trunk one of {tuple(value.shape)}: fetch it again"
            )
    trunk.load_state_dict({key: state[name] for key, name in names.items()})


def distance_maps(network: LPIPS, guesses: Sequence[Picture], truth: Picture) -> npt.NDArray[np.float32]:
    """Compute the perceptual distance at every pixel.

    The truth is in each batch: a copy of it then has the same features to the last bit.

    Args:
        network: Network from `build_network`.
        guesses: N pictures (H, W, 3) in [0, 1], at least 17 pixels wide and high.
        truth: (H, W, 3) in [0, 1].

    Returns:
        (N, H, W), at least 0.
    """
    maps = [
        _batch_of_maps(network, guesses[start : start + TOGETHER], truth)
        for start in range(0, len(guesses), TOGETHER)
    ]
    return np.concatenate(maps) if maps else np.empty((0, *truth.shape[:2]), np.float32)


def _batch_of_maps(network: LPIPS, guesses: Sequence[Picture], truth: Picture) -> npt.NDArray[np.float32]:
    import torch

    border = [(0, 0), (BORDER, BORDER), (BORDER, BORDER), (0, 0)]
    pixels = np.pad(np.stack([truth, *guesses]), border, mode="reflect") * 2 - 1
    device = next(network.parameters()).device
    # Pictures hold their channels last already.
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
    size = batch.shape[2:]
    with torch.inference_mode():
        total = torch.zeros(len(guesses), 1, *size, device=device)
        for layer, features in enumerate(network.net(network.scaling_layer(batch))):
            # lpips' `normalize_tensor` without its copies: memory is the bottleneck.
            directions = features.div_(torch.linalg.vector_norm(features, dim=1, keepdim=True).add_(_EPSILON))
            squares = directions[1:].sub_(directions[:1]).square_()
            weighted = network.lins[layer](squares) if network.lpips else squares.sum(1, keepdim=True)
            total += torch.nn.functional.interpolate(weighted, size, mode="bilinear", align_corners=False)
    maps: npt.NDArray[np.float32] = total[:, 0, BORDER:-BORDER, BORDER:-BORDER].cpu().numpy()
    return maps


@dataclass(kw_only=True)
class LearnedPerceptualSimilarity(Metric):
    """Distance in a network's features (LPIPS), averaged over the region eroded by 5 pixels.

    Attributes:
        net: Trunk: "scoring" (shipped, trained on scenes, in no attacker's loss), "mini" (shipped, in the training
            loss of `completion-mini`), "random" (untrained), "alex", "vgg" or "squeeze".
        weights: Path of that trunk's weights; "" for the shipped or fetched ones.
    """

    name = "learned_perceptual_similarity"
    version = 3
    cite = "Zhang et al., The Unreasonable Effectiveness of Deep Features, arXiv 1801.03924"
    better = "higher"
    bounds = (0.0, np.inf)
    exact = 0.0

    net: Trunk = "scoring"
    weights: str = ""
    _network: Any = field(default=None, init=False, repr=False, compare=False)

    @property
    def column(self) -> str:
        return f"LPIPS-{self.net}"

    @property
    def files(self) -> tuple[Path, ...]:
        file = self.weights or trunk_file(self.net)
        return (Path(file),) if file else ()

    def prepare(self, device: str) -> None:
        self._network = build_network(self.net, self.weights, device)

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        if self._network is None:
            raise RuntimeError(f"{self!r} was called before prepare()")
        return interior_means(distance_maps(self._network, guess, truth), regions)
