"""Masks of COCO annotations against pycocotools."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from pedbench.data.coco import CocoFolder
from pedbench.data.coco_masks import decode_segmentation
from tests.data.made_coco import HEIGHT, WIDTH, annotation, write

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco"


@pytest.mark.slow
@given(st.integers(1, 24), st.integers(1, 24), st.randoms(use_true_random=False), st.floats(0, 1))
@settings(deadline=None, max_examples=100)
def test_run_lengths_as_pycocotools_writes_them(height: int, width: int, random: Any, density: float) -> None:
    mask = np.array([[random.random() < density for _ in range(width)] for _ in range(height)])
    code = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    compressed = {"size": [height, width], "counts": code["counts"].decode()}
    np.testing.assert_array_equal(decode_segmentation(compressed, (height, width)), mask)
    flat = np.concatenate([[0], mask.T.ravel(), [2]])
    changes = np.flatnonzero(np.diff(flat.astype(int)) != 0)
    counts = np.diff(np.concatenate([[0] if not mask[0, 0] else [0, 0], changes[changes > 0]])).tolist()
    np.testing.assert_array_equal(
        decode_segmentation({"size": [height, width], "counts": counts}, (height, width)), mask
    )


@given(st.text(st.characters(min_codepoint=40, max_codepoint=125), max_size=40))
@settings(deadline=None, max_examples=300)
def test_hostile_run_lengths_end_in_a_mask_or_an_error(counts: str) -> None:
    with contextlib.suppress(ValueError):
        assert decode_segmentation({"size": [4, 5], "counts": counts}, (4, 5)).shape == (4, 5)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the COCO photographs")
def test_every_mask_equals_pycocotools() -> None:
    file = DATA / "annotations" / "instances_val2017.json"
    folder = CocoFolder(DATA / "val2017", file)
    data = json.loads(file.read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
    by_id = {item["id"]: item for item in data["annotations"]}
    seen = 0
    for id in folder.ids:
        for instance in folder.sample(id).instances:
            entry = by_id[instance.id]
            assert str(entry["image_id"]) == id
            runs = coco_mask.frPyObjects(entry["segmentation"], *sizes[entry["image_id"]])
            runs = coco_mask.merge(runs) if isinstance(runs, list) else runs
            np.testing.assert_array_equal(instance.mask, coco_mask.decode(runs).astype(bool))
            assert instance.area == entry["area"]
            assert instance.crowd == bool(entry["iscrowd"])
            seen += 1
    assert seen == len(by_id) == 794
    assert not folder.defects
    assert not folder.ids.left_out


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_a_line_that_crosses_itself_is_filled_as_pycocotools_does(tmp_path: Path) -> None:
    bow = [[2, 2, 20, 15, 20, 2, 2, 15], [5, 5, 15, 5, 15, 15, 5, 15, 5, 5, 15, 15]]
    folder = CocoFolder(*write(tmp_path, annotations=[annotation(segmentation=bow)]))
    (instance,) = folder.sample("1").instances
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(bow, HEIGHT, WIDTH)))
    np.testing.assert_array_equal(instance.mask, np.asarray(expected).astype(bool))
