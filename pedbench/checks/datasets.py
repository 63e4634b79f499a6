"""Rules of datasets, checked on their first pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Dataset
from pedbench.checks.rule import BrokenRule, Outcome, outcome
from pedbench.checks.samples import seed_globals
from pedbench.errors import DatasetError, PluginUnavailable
from pedbench.registry import PluginSpec, load
from pedbench.types import Instance, Picture, Sample, Secret

MAX_PICTURES = 3
"""Number of pictures that are checked, from the first on."""

KINDS = ("text", "face", "object")

_LEVEL_TOLERANCE = 1e-4
"""Largest distance of a value to the nearest multiple of 1/255, as a share of 1/255."""


def check_dataset(spec: PluginSpec) -> Iterator[Outcome]:
    """Check a dataset on its first pictures. Without its data, all rules are skipped."""
    dataset: Dataset = load(spec)
    ids = outcome("ids", lambda: _check_ids(dataset))
    yield ids
    if ids.problem or ids.skipped:
        return
    yield outcome("revision", lambda: _check_revision(dataset, load(spec)))
    yield outcome("pictures that are left out", lambda: _check_left_out(dataset))
    yield outcome("locations", lambda: _check_locations(dataset))
    for index, id in enumerate(dataset.ids()[:MAX_PICTURES]):
        yield outcome(f"sample {id}", partial(_check_sample, dataset, index, id))
    yield outcome("annotations as declared", lambda: _check_annotated(dataset))
    yield outcome("samples depend on their index alone", lambda: _check_same(dataset, load(spec)))
    yield outcome("samples are fresh", lambda: _check_fresh(dataset))


def _count(dataset: Dataset) -> int:
    return len(dataset.ids()[:MAX_PICTURES])


def _check_ids(dataset: Dataset) -> None:
    try:
        ids = list(dataset.ids())
    except DatasetError as error:
        raise PluginUnavailable(str(error)) from error
    if not ids:
        raise BrokenRule("the dataset holds no picture")
    wrong = [id for id in ids if not (isinstance(id, str) and id)]
    if wrong:
        raise BrokenRule(f"ids are strings, found {wrong[0]!r}")
    if len(set(ids)) != len(ids):
        duplicate = next(id for id in ids if ids.count(id) > 1)
        raise BrokenRule(f"ids are unique, found {duplicate!r} twice")
    if len(dataset) != len(ids):
        raise BrokenRule(f"`len` is {len(dataset)}, but there are {len(ids)} ids")
    if list(dataset.ids()) != ids:
        raise BrokenRule("two calls of `ids` returned different lists")


def _check_revision(dataset: Dataset, copy: Dataset) -> None:
    if not (isinstance(dataset.revision, str) and dataset.revision):
        raise BrokenRule(f"`revision` is a string that is not empty, found {dataset.revision!r}")
    if copy.revision != dataset.revision:
        raise BrokenRule(f"the same dataset has the revisions {dataset.revision!r} and {copy.revision!r}")


def _check_left_out(dataset: Dataset) -> None:
    left_out = dict(dataset.left_out)
    both = sorted(set(left_out) & set(dataset.ids()[:MAX_PICTURES]))
    if both:
        raise BrokenRule(f"{both[0]!r} is both in `left_out` and in `ids`")
    unexplained = [id for id, reason in left_out.items() if not (isinstance(reason, str) and reason)]
    if unexplained:
        raise BrokenRule(f"{unexplained[0]!r} is left out without a reason")


def _check_locations(dataset: Dataset) -> None:
    """Check that `locations` exist: attacks are barred from these paths, so a wrong path would bar nothing."""
    for path in dataset.locations:
        if not isinstance(path, Path) or not path.exists():
            raise BrokenRule(f"`locations` are paths that exist, found {path!r}")


def _check_sample(dataset: Dataset, index: int, id: str) -> None:
    sample = dataset[index]
    if not isinstance(sample, Sample):
        raise BrokenRule(f"expected a `Sample`, found {type(sample).__name__}")
    if sample.id != id:
        raise BrokenRule(f"expected the id {id!r}, found {sample.id!r}")
    for picture in (sample.image, *sample.later):
        _check_picture(picture)
        if picture.shape != sample.image.shape:
            raise BrokenRule(f"`later` pictures have the shape of `image`, found {picture.shape}")
    known = [instance.id for instance in sample.instances]
    if len(set(known)) != len(known):
        raise BrokenRule(f"ids of instances are unique, found {known}")
    for instance in sample.instances:
        _check_instance(instance, sample.image)
    for secret in sample.secrets:
        _check_secret(secret, sample.image)


def _check_picture(picture: Any) -> None:
    if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] != 3:
        found = picture.shape if isinstance(picture, np.ndarray) else type(picture).__name__
        raise BrokenRule(f"expected a picture of shape (H, W, 3), found {found}")
    if picture.dtype != np.float32:
        raise BrokenRule(f"expected float32 pixels, found {picture.dtype}")
    if not np.isfinite(picture).all() or picture.min() < 0 or picture.max() > 1:
        raise BrokenRule(f"expected values in [0, 1], found {picture.min():.4g} to {picture.max():.4g}")
    levels = picture.astype(np.float64) * 255
    if np.abs(levels - np.rint(levels)).max() > _LEVEL_TOLERANCE:
        raise BrokenRule("every value is a multiple of 1/255, because servers get 8-bit pixels")


def _check_instance(instance: Instance, image: Picture) -> None:
    mask = instance.mask
    if mask.shape != image.shape[:2] or mask.dtype != np.bool_:
        raise BrokenRule(
            f"instance {instance.id}: expected a bool mask of shape {image.shape[:2]}, found {mask.dtype} {mask.shape}"
        )
    if not mask.any() or not instance.area > 0:
        raise BrokenRule(
            f"instance {instance.id}: its mask is empty or its area ({instance.area}) is not positive"
        )
    if not instance.category:
        raise BrokenRule(f"instance {instance.id} has no category")


def _check_secret(secret: Secret, image: Picture) -> None:
    if secret.kind not in KINDS or not secret.content:
        raise BrokenRule(f"a secret is of kind {', '.join(KINDS)} and has content, found {secret}")
    left, top, width, height = secret.box
    overlaps = left < image.shape[1] and top < image.shape[0] and left + width > 0 and top + height > 0
    if not (np.isfinite(secret.box).all() and width > 0 and height > 0 and overlaps):
        raise BrokenRule(f"a box is x, y, width, height and overlaps the picture, found {secret.box}")


def _check_annotated(dataset: Dataset) -> None:
    if dataset.annotated and not any(dataset[index].instances for index in range(_count(dataset))):
        raise BrokenRule(
            f"`annotated` is True, but the first {_count(dataset)} pictures have no instances: with False, masks "
            "are compared with those of the undefended model"
        )


def _contents(sample: Sample) -> list[Any]:
    """Return the contents of a sample as values that `==` compares."""
    pictures = [picture.tobytes() for picture in (sample.image, *sample.later)]
    masks = [(each.id, each.category, each.area, each.mask.tobytes()) for each in sample.instances]
    return [sample.id, *pictures, *masks, *sample.secrets]


def _check_same(dataset: Dataset, copy: Dataset) -> None:
    """Compare the samples with those of a second instance, read in reverse order under different global seeds."""
    seed_globals(1)
    first = [_contents(dataset[index]) for index in range(_count(dataset))]
    seed_globals(2)
    second = [_contents(copy[index]) for index in reversed(range(_count(copy)))]
    if first != second[::-1]:
        raise BrokenRule("the same index returned two different samples")


def _check_fresh(dataset: Dataset) -> None:
    before = dataset[0].image.copy()
    image = dataset[0].image
    if image.flags.writeable:
        image[:] = 0
    if not np.array_equal(dataset[0].image, before):
        raise BrokenRule("writing into a sample changes the next sample of the same index: return copies")
