"""Exact resumption of trainings: ownership of folders, clean stops, and repeatable arithmetic."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pedbench.host.files import write_atomically


def claim(out: Path, settings: Mapping[str, Any], *, writes: bool) -> None:
    """Write a training's settings to `<out>/training/settings.json`, or check that they are the same.

    Args:
        out: Folder of the future weights.
        settings: All settings that decide the result, as JSON values.
        writes: Whether this process writes; exactly one of several processes does.

    Raises:
        ValueError: The folder contains another training, or weights of unknown origin.
    """
    file = out / "training" / "settings.json"
    if file.is_file():
        found = json.loads(file.read_text(encoding="utf-8"))
        other = [name for name, value in settings.items() if found.get(name) != value]
        if other:
            differ = f"its {other[0]} differs" if len(other) == 1 else f"its {' and '.join(other)} differ"
            raise ValueError(
                f"{out} holds another training ({differ}); name another folder with --out, or remove {file.parent}."
            )
    elif any(out.glob("*.safetensors")) or any(out.glob("*/*.safetensors")):
        raise ValueError(f"{out} holds other weights; name another folder with --out.")
    elif writes:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(settings, indent=2) + "\n")


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the signals Ctrl-C and SIGTERM in a list, for the block to check."""
    received: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    former = {
        number: signal.signal(number, lambda number, frame: received.append(number)) for number in signals
    }
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def compute_repeatably() -> None:
    """Make accelerators sum in a fixed order where possible; call before their first use."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
