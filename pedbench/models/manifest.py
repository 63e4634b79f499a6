"""The manifest next to weights: file, digest and training recipe of each network."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pedbench.errors import CheckpointError
from pedbench.fetching.digests import digest

ASSETS = Path(__file__).parents[1] / "assets"

_more = find_spec("pedbench_weights")

SHIPPED = (ASSETS, *map(Path, _more.submodule_search_locations or () if _more else ()))
"""Folders of shipped weights: the package's own, and that of the distribution pedbench-weights."""


def shipped(name: str) -> Path:
    """Return the path of a shipped file or folder, existing or not."""
    return next((folder / name for folder in SHIPPED if (folder / name).exists()), ASSETS / name)


def is_shipped(path: Path) -> bool:
    """Return whether a file or folder lies directly in a folder of shipped weights."""
    return path.parent in SHIPPED


def manifest_entry(name: str, folder: Path = ASSETS) -> dict[str, Any]:
    """Return the entry of a network in a folder's manifest; empty if there is none.

    Raises:
        CheckpointError: The manifest is not a JSON object.
    """
    return _entries(folder).get(name, {})


def _entries(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "manifest.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: found no manifest ({error})\nexpected a JSON object") from error


def verify_weights(name: str, file: Path, folder: Path = ASSETS) -> None:
    """Check a weights file against the manifest's digest, if the manifest lists it under this name.

    Raises:
        CheckpointError: The digest differs.
    """
    known = manifest_entry(name, folder)
    if known and folder / known["file"] == file and (found := digest(file)) != known["sha256"]:
        raise CheckpointError(
            f"{file}: found sha256 {found}\nthe manifest expects {known['sha256']}: pedbench train {name}"
        )


def trained_on(name: str, folder: Path = ASSETS) -> str:
    """Describe the training of a shipped network, for `Attack.knowledge`.

    Args:
        name: Name in the manifest, e.g. "mae-mini".
        folder: Folder of `manifest.json`.

    Returns:
        E.g. "mae-mini: 6000 scenes (train), 1100 steps of 8"; without steps if the recipe has none.

    Raises:
        ValueError: The manifest is missing or does not list the network.
    """
    known = _entries(folder)
    if name not in known:
        raise ValueError(
            f"{folder / 'manifest.json'} says nothing of {name!r}; it knows: {', '.join(known) or 'none'}. "
            f"`pedbench train {name}` adds it."
        )
    recipe, data = known[name]["recipe"], known[name]["data"]
    steps = recipe.get("schedule", recipe).get("steps")
    trained = f", {steps} steps of {recipe['batch']}" if steps and "batch" in recipe else ""
    return f"{name}: {data['count']} scenes ({data['split']}){trained}"
