"""Files of networks that state the networks' sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from safetensors import safe_open
from torch import nn

from pedbench.errors import CheckpointError, MissingWeightsError
from pedbench.models.manifest import verify_weights
from pedbench.models.sam.checkpoints import write_safetensors
from pedbench.models.trained import training_command
from pedbench.models.unallocated import unallocated

N = TypeVar("N", bound=nn.Module)

_LARGEST = 1280
"""Largest size that is accepted: the channels of SAM ViT-H's tokens.

A larger one would fill the memory before the weights are compared.
"""


def save_sized(network: Any, path: Path) -> None:
    """Write a network's weights, and its `sizes`, a dataclass, atomically as `.safetensors`."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_safetensors(path, state, {"sizes": json.dumps(asdict(network.sizes))})


def load_sized(path: Path, sizes: Callable[..., Any], build: Callable[[Any], N], kind: str) -> N:
    """Load a network, in evaluation mode, its parameters frozen.

    Args:
        path: A `.safetensors` with `sizes` in its metadata.
        sizes: Class of the sizes.
        build: Builds the network from sizes.
        kind: Kind of network, for messages.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    command = training_command(path.stem) or f"pedbench train {path.stem}"
    if not path.is_file():
        raise MissingWeightsError(f"no {kind} network: looked for {path}\nto make it: {command}")
    verify_weights(path.stem, path, path.parent)
    try:
        with safe_open(path, framework="pt") as file:
            known = sizes(**json.loads((file.metadata() or {})["sizes"]))
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if not all(type(size) is int and 0 <= size <= _LARGEST for size in asdict(known).values()):
            raise ValueError(f"sizes {known}")
        with unallocated():
            expected = {key: value.shape for key, value in build(known).state_dict().items()}
        if expected != {key: value.shape for key, value in state.items()}:
            raise ValueError("other shapes than its sizes say")
        network = build(known)
        network.load_state_dict(state)
    # Sizes from a foreign file can raise any kind of exception.
    except Exception as error:
        raise CheckpointError(
            f"{path}: found no {kind} network ({type(error).__name__}: {str(error)[:200]})\n"
            f"expected a .safetensors file that `{command}` wrote"
        ) from error
    return network.eval().requires_grad_(False)
