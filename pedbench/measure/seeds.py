"""Seeds: one independent stream of random numbers for each image, component and request.

Whatever draws for one image can then never change what is drawn for another: limiting or reordering the
selection, or running it on several machines, leaves every value as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json

import numpy as np


def generator(base: int, dataset: str, image: str, component: str, request: int = 0) -> np.random.Generator:
    """A generator that depends on its arguments alone.

    Args:
        base: The suite's seed.
        dataset: The dataset's name.
        image: The sample's id.
        component: Who draws, e.g. a defense's or an attack's label.
        request: Which of the requests for this image.
    """
    return np.random.Generator(np.random.PCG64(_entropy(base, dataset, image, component, request)))


def torch_seed(base: int, dataset: str, image: str, component: str, request: int = 0) -> int:
    """A seed for `torch.Generator.manual_seed`, 0 <= seed < 2**63; see `generator`."""
    return _entropy(base, dataset, image, component, request) >> (256 - 63)


def guess_seed(base: int, truth: bytes, pixels: bytes, component: str) -> int:
    """Return a seed for one guess, which says nothing to an attack: another for each part of a frame that is held.

    It does not depend on the form of the content or on the numbers of servers, which must change no result.

    Args:
        base: The suite's seed.
        truth: The frame that is guessed, the key that no attack has.
        pixels: The mask of what the content belongs to, packed; nothing for an empty view or decoys.
        component: The attack's label and the number of the draw.
    """
    message = b"".join(
        hashlib.sha256(part).digest() for part in (pixels, json.dumps([base, component]).encode())
    )
    return int.from_bytes(hmac.digest(truth, message, "sha256"), "big") >> (256 - 63)


def _entropy(*parts: int | str) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest(), "big")
