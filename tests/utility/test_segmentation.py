"""Masks and values against `segment_anything`'s predictor, asked prompt by prompt, and counted pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from segment_anything import SamPredictor

from pedbench.base import Embedding
from pedbench.pictures.frame import from_uint8
from pedbench.types import Instance, Mask, Sample
from pedbench.utility import prediction, segmentation
from pedbench.utility.agreement import agreement, reference
from pedbench.utility.prediction import Prediction
from pedbench.utility.segmentation import (
    Protocol,
    Row,
    clicked_masks,
    evaluate,
    intersection_over_union,
    is_cut,
    size_class,
)
from tests.utility.one_by_one import ask, counted, one_by_one

Embed = Callable[[npt.NDArray[np.uint8]], tuple[Embedding, SamPredictor]]
SIZE = (180, 240)
FRAME = (240, 320)
ALL: list[tuple[Protocol, list[str]]] = [("clicks", ["1", "3", "5", "box"]), ("saf", ["1"])]


def instance(id: int, mask: Mask, *, crowd: bool = False, area: float | None = None) -> Instance:
    return Instance(
        id=id, category="thing", mask=mask, area=mask.sum() if area is None else area, crowd=crowd
    )


@pytest.fixture(scope="module")
def pixels() -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    return np.clip(ndimage.gaussian_filter(rng.normal(128, 900, (*SIZE, 3)), (5, 5, 0)), 0, 255).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def sample(pixels: npt.NDArray[np.uint8]) -> Sample:
    y, x = np.indices(SIZE)
    ring = (np.hypot(y - 90, x - 150) < 60) & (np.hypot(y - 90, x - 150) > 40)
    dot = (y == 7) & (x == 9)
    crowd = (x > 200) & (y % 20 < 10)
    left = (x < 60) & (y > 40)
    instances = (
        instance(3, ring),
        instance(4, dot),
        instance(7, crowd, crowd=True),
        instance(8, np.zeros(SIZE, np.bool_)),
        instance(9, left),
    )
    return Sample(id="a", image=from_uint8(pixels), instances=instances)


def values(rows: list[Row], metric: str) -> dict[int, float]:
    return {row["annotation"]: row["value"] for row in rows if row["metric"] == metric}


def test_values_equal_the_predictors(embed: Embed, pixels: npt.NDArray[np.uint8], sample: Sample) -> None:
    embedding, predictor = embed(pixels)
    rows = evaluate(embedding, sample, frame=FRAME, window=64, protocol="clicks", prompts=["1", "3", "box"])
    assert {row["annotation"] for row in rows} == {3, 4, 9}
    for item in (sample.instances[0], sample.instances[1], sample.instances[4]):
        masks = one_by_one(predictor, item.mask, 3)
        rows_, columns = np.nonzero(item.mask)
        box = np.array([columns.min(), rows_.min(), columns.max() + 1, rows_.max() + 1])
        boxed, _ = ask(predictor, box=box)
        expected = {"IoU[1 click]": masks[0], "IoU[3 clicks]": masks[2], "IoU[box]": boxed}
        for metric, mask in expected.items():
            assert values(rows, metric)[item.id] == pytest.approx(counted(mask, item.mask), abs=1e-3)
    rows = evaluate(embedding, sample, frame=FRAME, window=64, protocol="saf", prompts=["1"])
    found = values(rows, "IoU[saf]")
    assert list(found) == [3, 4, 7, 9]
    for id, point in ((4, [9, 7]), (9, [30, 110])):
        mask, _ = ask(predictor, point_coords=np.array([point]), point_labels=np.array([1]))
        truth = next(item.mask for item in sample.instances if item.id == id)
        assert found[id] == pytest.approx(counted(mask, truth), abs=1e-3)


def test_batches_do_not_change_values(
    embed: Embed, pixels: npt.NDArray[np.uint8], sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, _ = embed(pixels)
    for protocol, prompts in ALL:
        whole = evaluate(embedding, sample, frame=FRAME, window=64, protocol=protocol, prompts=prompts)
        with monkeypatch.context() as patch:
            patch.setattr(prediction, "_PIXELS_AT_ONCE", 1)
            single = evaluate(embedding, sample, frame=FRAME, window=64, protocol=protocol, prompts=prompts)
        for metric in {row["metric"] for row in whole}:
            assert values(single, metric) == pytest.approx(values(whole, metric), abs=1e-3)


def test_a_mask_without_a_wrong_pixel_stays(
    embed: Embed, pixels: npt.NDArray[np.uint8], sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, predictor = embed(pixels)
    truths = np.stack([sample.instances[0].mask, sample.instances[4].mask])
    predict = prediction.predict

    def perfect_for_the_first(*arguments: Any, **prompts: Any) -> Prediction:
        found = predict(*arguments, **prompts)
        if len(found.masks) == 2:
            found.masks[0] = truths[0]
        return found

    monkeypatch.setattr(segmentation, "predict", perfect_for_the_first)
    after = clicked_masks(embedding, truths, 3)
    assert all((masks[0] == truths[0]).all() for masks in after)
    for masks, mask in zip(after, one_by_one(predictor, truths[1], 3), strict=True):
        assert counted(masks[1], mask) > 0.999


def test_nothing_to_score(embed: Embed, pixels: npt.NDArray[np.uint8]) -> None:
    embedding, _ = embed(pixels)
    bare = Sample(id="bare", image=from_uint8(pixels))
    crowd = instance(1, np.ones(SIZE, np.bool_), crowd=True)
    crowded = Sample(id="crowded", image=from_uint8(pixels), instances=(crowd,))
    for protocol, prompts in ALL:
        assert not evaluate(embedding, bare, frame=FRAME, window=64, protocol=protocol, prompts=prompts)
    assert not evaluate(embedding, crowded, frame=FRAME, window=64, protocol="clicks", prompts=["1"])
    assert len(evaluate(embedding, crowded, frame=FRAME, window=64, protocol="saf", prompts=["1"])) == 1
    with pytest.raises(ValueError, match="'saf' has the prompts 1; found box"):
        evaluate(embedding, crowded, frame=FRAME, window=64, protocol="saf", prompts=["box"])


def test_intersection_over_union_counts_pixels() -> None:
    rng = np.random.default_rng(8)
    masks, truths = rng.random((9, 31, 17)) < 0.4, rng.random((9, 31, 17)) < 0.6
    masks[0] = False
    expected = [counted(mask, truth) for mask, truth in zip(masks, truths, strict=True)]
    assert intersection_over_union(masks, truths) == expected


def test_size_classes_and_cuts() -> None:
    assert [size_class(area) for area in (1, 1023.9, 1024, 9215, 9216)] == ["S", "S", "M", "M", "L"]
    mask = np.zeros((480, 640), np.bool_)
    mask[0:128, 128:256] = True  # fills one window of 64 in a frame of half the size
    assert not is_cut(instance(1, mask), FRAME, 64)
    mask[60, 256] = True
    assert is_cut(instance(1, mask), FRAME, 64)
    assert not is_cut(instance(1, mask), FRAME, 320)


@pytest.mark.slow
def test_agreement_with_oneself_is_perfect(embed: Embed, pixels: npt.NDArray[np.uint8]) -> None:
    embedding, predictor = embed(pixels)
    target = reference(embedding, SIZE)
    assert len(target.places) > 0
    for place, mask in zip(target.places, target.masks, strict=True):
        point = [(place % 4 + 0.5) * SIZE[1] / 4, (place // 4 + 0.5) * SIZE[0] / 4]
        found, _ = ask(predictor, point_coords=np.array([point]), point_labels=np.array([1]))
        assert counted(found, mask) > 0.999
        assert mask.mean() >= 0.01
    rows = agreement(embedding, target, frame=FRAME, window=64)
    assert [row["annotation"] for row in rows] == target.places.tolist()
    assert {row["value"] for row in rows} == {1.0}
    other, _ = embed(255 - pixels[::-1, ::-1])
    assert np.mean([row["value"] for row in agreement(other, target, frame=FRAME, window=64)]) < 1
