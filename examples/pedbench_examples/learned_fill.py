"""An attack with weights of its own. `python -m pedbench_examples.learned_fill FILE` trains them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class LearnedFill(Attack):
    """Correct a fill with the mean colour by a small network; `weights` is the file that `train` wrote."""

    name = "learned_fill"
    version = 1
    needs = frozenset({"pixels"})
    knowledge = "views of ped_sam and their frames, scenes of the split train"

    weights: str
    _network: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The attack's process has another working directory.
        self.weights = str(Path(self.weights).expanduser().resolve())

    @property
    def files(self) -> tuple[Path, ...]:
        return (Path(self.weights),)

    def prepare(self, device: str) -> None:
        from safetensors.torch import load_file

        self._network = make_network()
        self._network.load_state_dict(load_file(self.weights))

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        import torch

        with torch.inference_mode():
            guess: Picture = fill(self._network, view).clamp(0, 1).numpy()
        return guess


def make_network() -> Any:
    """Return a network from pixels and coverage, (1, 4, H, W), to a correction of the pixels, (1, 3, H, W)."""
    from torch import nn

    layers: list[nn.Module] = []
    for channels, dilation in ((4, 1), (16, 4), (16, 16), (16, 4)):
        layers += [nn.Conv2d(channels, 16, 3, padding=dilation, dilation=dilation), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(16, 3, 3, padding=1))


def fill(network: Any, view: View) -> Any:
    """Return the (H, W, 3) guess of a view as a tensor."""
    import torch

    canvas, seen = view.canvas()
    filled = np.where(seen[..., None], canvas, view.prior.mean_colour)
    pixels = torch.from_numpy(np.dstack([filled, seen]).astype(np.float32)).permute(2, 0, 1)[None]
    return (pixels[:, :3] + network(pixels))[0].permute(1, 2, 0)


def train(weights: Path, count: int = 3000) -> None:
    """Train on `count` views of `ped_sam`, one a step, and write the weights."""
    import torch
    from safetensors.torch import save_file

    import pedbench

    torch.manual_seed(0)
    network = make_network()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for view, frame in pedbench.views("ped_sam", "scenes(split=train)", count=count, with_truth=True):
        optimiser.zero_grad()
        loss = (fill(network, view) - torch.from_numpy(frame)).square().mean()
        loss.backward()
        optimiser.step()
    save_file(network.state_dict(), weights)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
