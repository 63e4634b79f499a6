"""What makes a training go on exactly: whose state a folder holds, clean stops, and repeatable arithmetic."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


def claim(out: Path, settings: Mapping[str, Any], *, writes: bool) -> None:
    """Write down in `<out>/training/settings.json` what is trained there, or find that it is the same.

    Args:
        out: Folder of the weights to come.
        settings: What decides how the training ends, as JSON has it.
        writes: Whether this process does: of several one.

    Raises:
        ValueError: The folder holds another training, or weights of which nothing says how they came about.
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
    elif any(out.glob("*.safetensors")):
        raise ValueError(f"{out} holds other weights; name another folder with --out.")
    elif writes:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, file)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect requests to stop, by Ctrl-C or SIGTERM, for the block to look at."""
    asked: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, lambda number, frame: asked.append(number)) for number in signals}
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def compute_repeatably() -> None:
    """Have accelerators add up in a fixed order where they can, before they are first used."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
