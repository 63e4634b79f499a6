"""Networks whose weights file tells their sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from torch import nn

from pedbench.errors import CheckpointError, MissingWeightsError
from pedbench.models.manifest import verify

N = TypeVar("N", bound=nn.Module)

_LARGEST = 1024
"""Of a size; what is larger would fill the memory before the weights could show that it is wrong."""


def load_sized(path: Path, sizes: Callable[..., Any], build: Callable[[Any], N], kind: str) -> N:
    """Read a network; in evaluation mode, its parameters frozen.

    Args:
        path: A `.safetensors` with `sizes` in its metadata.
        sizes: Makes the sizes.
        build: Makes the network.
        kind: What the network is, for messages.

    Raises:
        MissingWeightsError: There is no such file.
        CheckpointError: It is none of these, or not the one in the manifest.
    """
    if not path.is_file():
        raise MissingWeightsError(
            f"no {kind} network: looked for {path}\nto make that of the mini family: pedbench train {path.stem}"
        )
    verify(path.stem, path, path.parent)
    try:
        with safe_open(path, framework="pt") as file:
            known = sizes(**json.loads((file.metadata() or {})["sizes"]))
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if not all(type(size) is int and 0 <= size <= _LARGEST for size in asdict(known).values()):
            raise ValueError(f"sizes {known}")
        with torch.device("meta"):
            expected = {key: value.shape for key, value in build(known).state_dict().items()}
        if expected != {key: value.shape for key, value in state.items()}:
            raise ValueError("other shapes than its sizes say")
        network = build(known)
        network.load_state_dict(state)
    # What comes of a foreign file's sizes can be any kind of exception.
    except Exception as error:
        raise CheckpointError(
            f"{path}: found no {kind} network ({type(error).__name__}: {str(error)[:200]})\n"
            f"expected a .safetensors file that `pedbench train {path.stem}` wrote"
        ) from error
    return network.eval().requires_grad_(False)
