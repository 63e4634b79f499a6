"""Networks of a family, loaded once per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from pedbench.base import Networks
from pedbench.errors import CheckpointError
from pedbench.models.manifest import verify_weights
from pedbench.models.sam.architectures import VARIANTS
from pedbench.models.sam.assembly import build_sam, randomise
from pedbench.models.sam.checkpoints import load_sam
from pedbench.models.sam.family import WEIGHTS, Family, Member, Weights
from pedbench.models.sam.half_precision import converted
from pedbench.models.sam.reorder import variant


@lru_cache(maxsize=16)
def load_network(
    members: Family,
    weights: Weights,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    random_seed: int | None = None,
) -> Any:
    """Load a network once per process; callers share it and must not change it.

    Args:
        members: The family.
        weights: Name of the weights.
        device: Torch's name of the device.
        dtype: Type of the image encoder's parameters; prompts and masks are computed in float32.
        random_seed: Seed of random weights instead of trained ones, enough for timing and tests.

    Returns:
        A `segment_anything.modeling.Sam` in evaluation mode, its parameters frozen.

    Raises:
        ValueError: The weights are unknown, or the family has no such network.
        CheckpointError: The weights file is missing, of another kind, or differs from the manifest.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"unknown weights {weights!r}; known: {', '.join(WEIGHTS)}")
    if weights in VARIANTS and weights != "original":
        return variant(load_network(members, "original", device, dtype, random_seed), weights)
    member = members.member(weights)
    if member is None:
        raise ValueError(
            f"the {members.name} family has no {weights} network; choose other weights or the mini family"
        )
    if random_seed is None:
        file = _verified(member)
        sam = load_sam(file if dtype == torch.float32 else converted(file, dtype), member.architecture, dtype)
    else:
        sam = build_sam(member.architecture)
        randomise(sam, random_seed)
    place(sam.requires_grad_(False), torch.device(device), dtype)
    return sam


def place(sam: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Move a network to a device, in place. Each block of the encoder follows when it first runs.

    An edge that runs the global blocks alone thus never moves the window blocks, three quarters of the weights.

    Args:
        sam: A `Sam` with `FastBlock`.
        device: The device.
        dtype: Type of the image encoder's parameters.
    """
    encoder = sam.image_encoder
    blocks, encoder.blocks = encoder.blocks, nn.ModuleList()
    sam.to(device)
    encoder.to(dtype)
    encoder.blocks = blocks
    for block in blocks:
        block.defer(device, dtype)


@dataclass(frozen=True, kw_only=True)
class FamilyNetworks(Networks):
    """The networks of a family on one device; see `load_network`."""

    family: Family
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    random_seed: int | None = None

    @property
    def exact(self) -> bool:
        return self.dtype == torch.float32

    def network(self, weights: str) -> Any:
        """Return the network of that name; see `load_network`."""
        # Weights loaded as inference tensors, during a pass, could not take part in a later backward pass.
        with torch.inference_mode(False):
            return load_network(
                self.family, cast(Weights, weights), self.device, self.dtype, self.random_seed
            )


def _verified(member: Member) -> Path:
    """Return the weights file of a member after checking it against the manifest."""
    name, file = member.architecture.name, member.file
    if file is None:
        raise CheckpointError(f"no weights were named for {name}\n{member.source}")
    if not file.is_file():
        raise CheckpointError(f"no weights for {name}: looked for {file}\nto get them: {member.source}")
    verify_weights(name, file, file.parent)
    return file
