"""The exhibits of a run: some of its pictures, with what became of each under every defense, as people see it.

A folder of the run directory for each picture: `picture.json`, `truth.webp`, and for each defense a JSON file with
the pictures that it names. The runner writes them, reports read them by `stored_exhibits`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pedbench.host.files import write_atomically
from pedbench.pictures.frame import Size, frame_size, to_uint8
from pedbench.suites.cell import PluginIdentity, canonical_json
from pedbench.types import Picture, Secret

FOLDER = "exhibits"

LONGEST_SIDE = 400
"""Longest side of a stored picture in pixels; larger ones are reduced."""

QUALITY = 85
PICTURE, TRUTH = "picture.json", "truth.webp"


@dataclass(kw_only=True)
class Exhibit:
    """One picture under one defense.

    Attributes:
        image: The sample's id.
        frame: The truth.
        secrets: What probes look for, by kind and number as in the values of claims, boxes in pixels of the frame.
        defense: Whose work this is.
        masks: The masks that came out, drawn over the picture; None where utility was not measured.
        seen: What the worst coalition received, in place; None where privacy was not measured.
        received: The same in words.
        servers: The worst coalition, as the values have it.
        rule: The coalition rule by which it was found: c and m.
        guesses: What attacks made of that, visible pixels pasted in.
    """

    image: str
    frame: Picture
    secrets: Mapping[tuple[str, int], Secret]
    defense: PluginIdentity
    masks: Picture | None = None
    seen: Picture | None = None
    received: str = ""
    servers: str = ""
    rule: tuple[str, int] = ("", 0)
    guesses: Sequence[tuple[PluginIdentity, Picture]] = ()


def shown_size(size: Size) -> Size:
    """Return height and width of the stored form of a picture of this size."""
    return frame_size(*size, min(LONGEST_SIDE, max(size)))


def write_exhibit(run_dir: Path, exhibit: Exhibit) -> None:
    """Store an exhibit; an earlier one of the same picture and defense is replaced, but for what this one lacks."""
    folder = run_dir / FOLDER / _file_name(exhibit.image, exhibit.image)
    folder.mkdir(parents=True, exist_ok=True)
    height, width = exhibit.frame.shape[:2]
    secrets = [
        {
            "kind": kind,
            "number": number,
            "content": secret.content,
            "box": [side / whole for side, whole in zip(secret.box, (width, height) * 2, strict=True)],
        }
        for (kind, number), secret in exhibit.secrets.items()
    ]
    if not (folder / PICTURE).is_file():
        _save(exhibit.frame, folder / TRUTH)
        _write(folder / PICTURE, {"image": exhibit.image, "secrets": secrets})
    identity = asdict(exhibit.defense)
    stem = _file_name(exhibit.defense.name, canonical_json(identity))
    path = folder / f"{stem}.json"
    entry: dict[str, Any] = {"defense": identity}
    if path.is_file():
        entry = json.loads(path.read_text(encoding="utf-8"))
    if exhibit.masks is not None:
        entry["masks"] = _save(exhibit.masks, folder / f"{stem}-masks.webp")
    if exhibit.seen is not None:
        entry["seen"] = _save(exhibit.seen, folder / f"{stem}-seen.webp")
        same = entry.get("servers") == exhibit.servers
        guesses = {canonical_json(attack): file for attack, file in entry.get("guesses", ()) if same}
        for attack, picture in exhibit.guesses:
            key = canonical_json(asdict(attack))
            guesses[key] = _save(picture, folder / f"{stem}-{_file_name(attack.name, key)}.webp")
        entry |= {"received": exhibit.received, "servers": exhibit.servers, "rule": list(exhibit.rule)}
        entry["guesses"] = [[json.loads(key), file] for key, file in guesses.items()]
    _write(path, entry)


def _file_name(name: str, identity: str) -> str:
    """Return a name that any file system takes, and that distinguishes identities."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:6]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60]}-{digest}"


def _save(picture: Picture, path: Path) -> str:
    height, width = shown_size((picture.shape[0], picture.shape[1]))
    image = Image.fromarray(to_uint8(picture))
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    write_atomically(path, lambda partial: image.save(partial, format="WEBP", quality=QUALITY))
    return path.name


def _write(path: Path, entry: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(entry, indent=1) + "\n")
