"""Half-precision weights on disk, so that all processes of a host share one copy in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from pedbench.host.files import lock
from pedbench.host.home import home
from pedbench.models.sam.checkpoints import read_state, write_tensors


def converted(file: Path, dtype: torch.dtype) -> Path:
    """Return a copy of a weights file with the image encoder in another type, made at the first call.

    Conversion after loading would give each process its own copy: 25 copies for 25 servers.

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
            write_tensors(
                {
                    key: value.to(dtype) if key.startswith("image_encoder.") else value.clone()
                    for key, value in read_state(file).items()
                },
                copy,
            )
    return copy
