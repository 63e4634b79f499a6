"""What the manifest beside the shipped weights says of a network's training."""

from __future__ import annotations

import json
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"


def trained_on(name: str, folder: Path = ASSETS) -> str:
    """Data and steps behind a shipped network, for `Attack.knowledge`.

    Args:
        name: As in the manifest, e.g. "mae-mini".
        folder: Holds `manifest.json`.

    Returns:
        E.g. "mae-mini: 6000 scenes (train), 1100 steps of 8"; the steps where the recipe tells them.

    Raises:
        ValueError: The manifest does not know the network, or is not there.
    """
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if name not in manifest:
        known = ", ".join(manifest) or "none"
        raise ValueError(
            f"{path} says nothing of {name!r}; it knows: {known}. `pedbench train {name}` adds it."
        )
    entry = manifest[name]
    recipe, data = entry["recipe"], entry["data"]
    steps = recipe.get("schedule", recipe).get("steps")
    trained = f", {steps} steps of {recipe['batch']}" if steps and "batch" in recipe else ""
    return f"{name}: {data['count']} scenes ({data['split']}){trained}"
