"""Attackers' networks that `pedbench train` makes for real models, in pedbench's home."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pedbench.host.home import home

PHOTOGRAPHS = "deblur-photographs"
"""Name of the sharpening network that is trained on a folder of pictures."""

_SUFFIX = ".safetensors"


def trained(name: str) -> Path:
    """Return the path of a trained network's folder, or of its file if the name has the suffix of one."""
    return home() / name.removesuffix(_SUFFIX) / name


def is_trained(path: Path) -> bool:
    """Return whether a folder or file has the place of a trained network."""
    return path == trained(path.name)


def training_command(name: str) -> str:
    """Return the command that makes an attacker's network for real models; "" for any other name.

    Args:
        name: Name of the network, or of its file.
    """
    stem = name.removesuffix(_SUFFIX)
    kind, _, start = stem.partition("-")
    if stem.endswith("-mini") or not start or "/" in stem:
        return ""
    if stem == PHOTOGRAPHS:
        return "pedbench train deblur --images FOLDER"
    if kind == "completion":
        return f"pedbench train completion --from {_repository(start)} --images FOLDER"
    if kind == "context":
        return f"pedbench train context --from {_repository(start)} --images FOLDER --annotations FILE"
    if kind == "decoder":
        return f"pedbench train decoder --from {start.removeprefix('interleaved-')} --images FOLDER"
    return ""


def _repository(name: str) -> str:
    """Return the hub's id of a public model by the last part of its id, if the catalogue has it; else the name."""
    from pedbench.fetching.catalogue import catalogue

    known = [item.repository for item in catalogue().values() if item.repository]
    return next((each for each in known if each.rpartition("/")[2] == name), name)


def untrained(files: Iterable[Path]) -> str:
    """Return which of some networks have not been trained on this machine, with their commands; "" if none."""
    lacking = [
        file for file in files if is_trained(file) and training_command(file.name) and not file.exists()
    ]
    return "; ".join(f"no weights in {file}: {training_command(file.name)}" for file in lacking)
