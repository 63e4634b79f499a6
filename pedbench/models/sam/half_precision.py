"""Half-precision weights on disk, so that all processes of a host share one copy in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from pedbench.host.files import lock
from pedbench.host.home import home
from pedbench.models.sam.checkpoints import read_state
from pedbench.models.sam.streamed_weights import file_order, write_streamed


def converted(file: Path, dtype: torch.dtype) -> Path:
    """Return a copy of a weights file with the image encoder in another type, made at the first call.

    Conversion after loading would give each process its own copy: 25 copies for 25 servers. The file is converted block
    by block, so that the conversion takes little more memory than a block.

    Args:
        file: Weights of a SAM.
        dtype: Type of the image encoder's parameters; the others stay unchanged.

    Returns:
        Path of a `.safetensors` under `$PEDBENCH_HOME/converted`.
    """
    state = file.stat()
    origin = f"{file.resolve()} {state.st_size} {state.st_mtime_ns}"
    name = (
        f"{file.stem}-{hashlib.sha256(origin.encode()).hexdigest()[:12]}-{str(dtype).removeprefix('torch.')}"
    )
    copy = home() / "converted" / f"{name}.safetensors"
    copy.parent.mkdir(parents=True, exist_ok=True)
    with copy.with_suffix(".lock").open("a") as stream:
        # Servers start at the same time: one converts, the others wait.
        lock(stream, copy.parent, "set PEDBENCH_HOME to a folder on a local disk", wait=True)
        if not copy.is_file():
            layout = {
                name: value.to("meta", _dtype(name, value, dtype)) for name, value in read_state(file).items()
            }
            write_streamed(copy, layout, _by_block(file, layout))
    return copy


def _dtype(name: str, value: Tensor, encoder: torch.dtype) -> torch.dtype:
    return encoder if name.startswith("image_encoder.") else value.dtype


def _by_block(file: Path, layout: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a file in the dtypes and the file order of `layout`."""
    for _, names in groupby(file_order(layout), key=lambda name: name.split(".")[:3]):
        # Pages of a mapped file are in memory until it is unmapped, so each block maps it anew.
        state = read_state(file)
        for name in names:
            yield name, state[name].to(layout[name].dtype)
