"""The attackers' linear head: guesses hidden categories from a public embedder's vector of what is visible."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pedbench.errors import CheckpointError
from pedbench.host.files import write_atomically
from pedbench.models.attackers.sized import load_sized
from pedbench.models.hub.folders import read_json
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
    """Write weights and sizes as `.safetensors`; categories and the embedder's digest next to it as `.json`."""
    state = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    write_safetensors(path, state, {"sizes": json.dumps(asdict(head.sizes))})
    described = {"categories": head.categories, "encoder": head.encoder}
    write_atomically(path.with_suffix(".json"), json.dumps(described, indent=2) + "\n")


def load_head(path: Path) -> ContextHead:
    """Load a head of `save_head`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    head = load_sized(path, HeadSizes, ContextHead, "context")
    file = path.with_suffix(".json")
    if not file.is_file():
        raise CheckpointError(f"{path}: found no {file.name} beside it\nexpected the names of its categories")
    described = read_json(file)
    names, encoder = described.get("categories"), described.get("encoder")
    if not isinstance(names, list) or len(names) != head.sizes.categories or not isinstance(encoder, str):
        raise CheckpointError(f"{file}: expected {head.sizes.categories} categories and an encoder")
    head.categories, head.encoder = tuple(str(name) for name in names), encoder
    return head
