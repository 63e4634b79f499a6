"""Scenes as a COCO folder: pictures, instances, and the secrets of each picture."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from pedbench.host.processes import without_main
from pedbench.scenes.painting.assets import Split
from pedbench.scenes.render import render
from pedbench.scenes.staging.furnish import CATEGORIES

REVISION = "1"
"""Revision of the generator, raised whenever any scene changes; part of every dataset's identity."""

SPLIT_SEEDS: dict[Split, int] = {"train": 1, "val": 2}
"""Seeds of the published splits; every other seed makes new scenes."""

_MARKER = "scenes.json"
_IDS_PER_IMAGE = 1000  # annotation ids are image_id * 1000 + k
_PNG_EFFORT = 4

_RAREST = 200
"""Scenes rendered per scene that holds enough secrets, from which the search is given up."""

Entry = tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]


def write_split(
    root: Path,
    *,
    seed: int,
    count: int,
    split: Split,
    workers: int,
    least: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render `count` scenes into a COCO folder, once.

    Writes `<root>/images/000000.png` and so on and `<root>/annotations/instances.json` (COCO's layout; every
    annotation has an `amodal_area` in pixels; top-level `secrets` of image_id, kind, content and bbox). The
    folder appears only when it is complete. Nothing happens if it exists with the same content.

    Args:
        workers: Processes that render; 1 renders in this one.
        least: Minimum number of secrets of a scene by kind. Scenes with fewer are passed over: their indices are
            missing.
        progress: Called with (scenes done, scenes in all).

    Raises:
        ValueError: The count or workers are not positive, scenes with enough secrets are too rare, or the folder
            holds other files.
    """
    if count < 1 or workers < 1:
        raise ValueError(f"count and workers must be at least 1, found count={count} and workers={workers}")
    least = {kind: number for kind, number in (least or {}).items() if number}
    identity: dict[str, Any] = {"revision": REVISION, "seed": seed, "count": count, "split": split}
    if least:
        identity["least"] = least
    if _complete(root, identity):
        return
    unfinished = root.with_name(f".{root.name}.{os.getpid()}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        (unfinished / "images").mkdir(parents=True)
        (unfinished / "annotations").mkdir()
        write = partial(_write_one, unfinished / "images", seed, split, least)
        entries: list[Entry] = []
        for entry in _entries(write, count, workers):
            entries.append(entry)
            if progress is not None:
                progress(len(entries), count)
        (unfinished / "annotations" / "instances.json").write_text(_document(identity, entries))
        (unfinished / _MARKER).write_text(json.dumps(identity))
        try:
            unfinished.rename(root)
        except OSError:
            # Another process may have finished first.
            if not _complete(root, identity):
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _complete(root: Path, identity: dict[str, Any]) -> bool:
    if not root.exists():
        return False
    marker = root / _MARKER
    if not marker.is_file():
        raise ValueError(
            f"{root} exists and holds no scenes ({_MARKER} is missing); name a folder that does not exist"
        )
    content = json.loads(marker.read_text())
    if content != identity:
        raise ValueError(
            f"{root} holds other scenes: found {content}, expected {identity}; remove it or name another"
        )
    return True


def _entries(write: Callable[[int], Entry | None], count: int, workers: int) -> Iterator[Entry]:
    """Write scenes in the order of their indices until `count` of them hold enough.

    Raises:
        ValueError: They are too rare.
    """
    done = first = 0
    with _mapping(workers) as map_in_order:
        while done < count:
            if first >= _RAREST * (done + 1):
                raise ValueError(f"only {done} of the first {first} scenes hold so many words and faces")
            # At most so many more are written, and so none too many.
            indices = range(first, first + count - done)
            first = indices.stop
            for entry in map_in_order(write, indices):
                if entry is not None:
                    done += 1
                    yield entry


@contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Iterator[Entry | None]]]:
    if workers == 1:
        yield map
        return
    with without_main():
        started = multiprocessing.get_context("spawn").Pool(workers)
    with started as pool:
        yield partial(pool.imap, chunksize=8)


def _write_one(folder: Path, seed: int, split: Split, least: Mapping[str, int], index: int) -> Entry | None:
    """Write a scene's picture and return what is known of it; None if it holds too few secrets."""
    scene = render(seed, index, split)
    kinds: list[str] = [each.kind for each in scene.secrets]
    if any(kinds.count(kind) < number for kind, number in least.items()):
        return None
    height, width = scene.image.shape[:2]
    name = f"{index:06d}.png"
    Image.fromarray(scene.image).save(folder / name, compress_level=_PNG_EFFORT)
    annotations = []
    for k, each in enumerate(scene.objects):
        code = coco_mask.encode(np.asfortranarray(each.mask, np.uint8))
        annotations.append(
            {
                "id": index * _IDS_PER_IMAGE + k,
                "image_id": index,
                "category_id": CATEGORIES.index(each.category) + 1,
                "segmentation": {"size": [height, width], "counts": code["counts"].decode("ascii")},
                "area": int(each.mask.sum()),
                "bbox": [float(value) for value in coco_mask.toBbox(code)],
                "iscrowd": 0,
                "amodal_area": each.amodal_area,
            }
        )
    secrets = [
        {"image_id": index, "kind": each.kind, "content": each.content, "bbox": list(each.box)}
        for each in scene.secrets
    ]
    return {"id": index, "file_name": name, "width": width, "height": height}, annotations, secrets


def _document(identity: dict[str, Any], entries: list[Entry]) -> str:
    return json.dumps(
        {
            "info": {"description": "pedbench procedural scenes", **identity},
            "images": [image for image, _, _ in entries],
            "categories": [{"id": k + 1, "name": name} for k, name in enumerate(CATEGORIES)],
            "annotations": [each for _, annotations, _ in entries for each in annotations],
            "secrets": [each for _, _, secrets in entries for each in secrets],
        },
        separators=(",", ":"),
    )
