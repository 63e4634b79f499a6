"""A mini network with random weights, and embeddings that `segment_anything`'s own predictor made with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from segment_anything import SamPredictor

from pedbench.base import Embedding
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.assembly import build_sam, randomise


@pytest.fixture(scope="session")
def network() -> Any:
    sam = build_sam(SAM_MINI)
    randomise(sam, 3)
    return sam.requires_grad_(False)


@pytest.fixture(scope="session")
def embed(network: Any) -> Callable[[npt.NDArray[np.uint8]], tuple[Embedding, SamPredictor]]:
    def make(pixels: npt.NDArray[np.uint8]) -> tuple[Embedding, SamPredictor]:
        predictor = SamPredictor(network)
        with torch.no_grad():
            predictor.set_image(pixels)
        return Embedding(features=predictor.get_image_embedding(), network=network), predictor

    return make
