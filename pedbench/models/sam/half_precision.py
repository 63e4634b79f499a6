"""Weights in half precision on disk, so that all processes of a host share one copy of them in memory."""

from __future__ import annotations

import fcntl
import hashlib
from pathlib import Path

import torch

from pedbench.host.home import home
from pedbench.models.sam.checkpoints import read_state, write


def converted(file: Path, dtype: torch.dtype) -> Path:
    """A copy of a weights file with the image encoder in another type, made at the first call.

    A network that is converted after loading belongs to its process alone: 25 servers would hold it 25 times.

    Args:
        file: Weights of a SAM.
        dtype: Of the image encoder's parameters; all others stay as they are.

    Returns:
        Path of a `.safetensors` under `$PEDBENCH_HOME/converted`.
    """
    state = file.stat()
    origin = f"{file.resolve()} {state.st_size} {state.st_mtime_ns}"
    name = (
        f"{file.stem}-{hashlib.sha256(origin.encode()).hexdigest()[:12]}-{str(dtype).removeprefix('torch.')}"
    )
    made = home() / "converted" / f"{name}.safetensors"
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_suffix(".lock").open("a") as lock:
        # Servers start at the same time: one converts, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            write(
                {
                    key: value.to(dtype) if key.startswith("image_encoder.") else value.clone()
                    for key, value in read_state(file).items()
                },
                made,
            )
    return made
