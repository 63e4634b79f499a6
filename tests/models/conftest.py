"""Networks with random weights, and the unmodified `segment_anything` network of the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.assembly import build_sam, randomise
from pedbench.types import Picture


@pytest.fixture(scope="session")
def random_sam() -> Callable[[Architecture], Any]:
    """Makes a network with every weight at random; shared, so not to be changed."""

    @cache
    def make(architecture: Architecture) -> Any:
        sam = build_sam(architecture)
        randomise(sam, 7)
        return sam.requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def reference_sam() -> Callable[[Architecture, Any], Any]:
    """Makes a network of `segment_anything` alone, its own attention included, of another's weights."""

    def make(architecture: Architecture, like: Any) -> Any:
        sam = build_sam(architecture, fast=False)
        sam.load_state_dict(like.state_dict())
        return sam.requires_grad_(False)

    return make


@pytest.fixture
def picture() -> Callable[[int, int], Picture]:
    """Makes a float picture of height and width of multiples of 1/255."""

    def make(height: int, width: int) -> Picture:
        pixels = np.random.default_rng(height * 10_000 + width).integers(0, 256, (height, width, 3))
        return (pixels / 255).astype(np.float32)

    return make


@pytest.fixture(autouse=True)
def seeded_without_gradients() -> Iterator[None]:
    """Tests draw the same numbers every time; those that need gradients switch them on."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        yield
