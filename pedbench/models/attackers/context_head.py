"""The attackers' linear head: guesses hidden categories from a public embedder's vector of what is visible."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from torch import Tensor, nn

from pedbench.errors import CheckpointError
from pedbench.models.attackers.sized import load_sized
from pedbench.models.sam.checkpoints import write_safetensors


@dataclass(frozen=True, kw_only=True)
class HeadSizes:
    """Sizes of a context head.

    Attributes:
        features: Length of the embedder's vectors.
        categories: Number of categories.
    """

    features: int
    categories: int


class ContextHead(nn.Module):
    """A linear map from vectors of length 1 to logits of categories; before training it guesses the prior.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, arXiv 2103.00020
        (linear probes of frozen features).

    Attributes:
        categories: Names of the K categories.
        encoder: The sha256 of the embedder's weights.
        prior: (K,) share of training views from which each category is hidden.
    """

    prior: Tensor

    def __init__(self, sizes: HeadSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.categories: tuple[str, ...] = ()
        self.encoder = ""
        self.linear = nn.Linear(sizes.features, sizes.categories)
        self.register_buffer("prior", torch.full((sizes.categories,), 0.5))

    def start(self, prior: npt.NDArray[np.float64]) -> None:
        """Make the head guess a prior (K,) whatever it is given."""
        self.prior.copy_(torch.from_numpy(prior))
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():
            self.linear.bias.copy_(torch.logit(self.prior))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the logits (B, K) for vectors (B, D) of length 1."""
        # Components of variance 1 suit the learning rates of other networks.
        logits: Tensor = self.linear(vectors * self.sizes.features**0.5)
        return logits


def save_head(head: ContextHead, path: Path) -> None:
    """Write weights, sizes, categories and the embedder's digest, atomically, as `.safetensors`."""
    state = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    described = {"sizes": json.dumps(asdict(head.sizes)), "categories": json.dumps(head.categories)}
    write_safetensors(path, state, described | {"encoder": head.encoder})


def load_head(path: Path) -> ContextHead:
    """Load a head of `save_head`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    head = load_sized(path, HeadSizes, ContextHead, "context")
    with safe_open(path, framework="pt") as file:
        described = file.metadata()
    names: Sequence[str] = json.loads(described.get("categories", "[]"))
    if len(names) != head.sizes.categories:
        raise CheckpointError(f"{path}: found {len(names)} category names, expected {head.sizes.categories}")
    head.categories, head.encoder = tuple(names), described.get("encoder", "")
    return head
