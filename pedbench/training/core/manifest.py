"""Writing of the manifest next to weights: digest, recipe, data and scores of each file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pedbench.fetching.digests import fresh_digest
from pedbench.host.files import write_atomically
from pedbench.models.sam.checkpoints import fingerprint


def record(
    name: str,
    weights: Path,
    recipe: Any,
    *,
    folder: Path,
    data: dict[str, Any],
    scores: dict[str, float],
    seconds: float | None = None,
) -> None:
    """Write the entry of a weights file into `manifest.json`.

    Args:
        name: Of the network.
        weights: Its `.safetensors` file.
        recipe: The recipe, a dataclass.
        folder: Folder of the manifest; contains the file, directly or in a subfolder.
        data: Description of the training data.
        scores: Validation scores by name.
        seconds: Seconds of this training alone, without those of the network that it started from.
    """
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {}
    manifest[name] = {
        "file": str(weights.relative_to(folder)),
        "sha256": fresh_digest(weights),
        "fingerprint": fingerprint(weights),
        "recipe": asdict(recipe),
        "data": data,
        "scores": {name: round(value, 4) for name, value in scores.items()},
    }
    if seconds is not None:
        manifest[name]["seconds"] = round(seconds)
    write_atomically(path, json.dumps(dict(sorted(manifest.items())), indent=2) + "\n")
