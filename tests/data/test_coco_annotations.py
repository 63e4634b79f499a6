"""Annotations of a COCO folder: what is read, what is left out and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.data.coco import CocoFolder
from pedbench.data.coco_masks import decode_segmentation
from pedbench.types import Secret
from tests.data.made_coco import HEIGHT, SQUARE, WIDTH, annotation, write


@pytest.mark.usefixtures("reading")
def test_reads_a_folder(tmp_path: Path) -> None:
    crowd = annotation(
        id="6", segmentation={"size": [20, 30], "counts": [0, 1, 599]}, iscrowd=1, category_id=8
    )
    del crowd["area"]
    secret = {"image_id": 1, "kind": "text", "content": "word", "bbox": [1, 2, 3.5, 4]}
    folder = CocoFolder(*write(tmp_path, annotations=[annotation(), crowd], secrets=[secret]))
    assert folder.ids[:] == ["1"]
    sample = folder.sample("1")
    square, dot = sample.instances
    assert (square.id, square.category, square.area, square.crowd) == (5, "box", 100, False)
    assert np.argwhere(square.mask).min(axis=0).tolist() == [5, 5]
    assert square.mask.sum() == 100
    assert (dot.id, dot.category, dot.area, dot.crowd) == (6, "category 8", 1, True)
    assert np.argwhere(dot.mask).tolist() == [[0, 0]]
    assert sample.secrets == (Secret(kind="text", content="word", box=(1, 2, 3.5, 4)),)
    np.testing.assert_array_equal(sample.image[0, 0], [1, 0, 0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"segmentation": None}, "no segmentation"),
        ({"segmentation": 5}, "list of polygons or run lengths"),
        ({"segmentation": []}, "no segmentation"),
        ({"segmentation": [[1, 2, 3, 4]]}, "three corners"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "three corners"),
        ({"segmentation": [1, 2, 3, 4, 5, 6]}, "list of numbers"),
        ({"segmentation": [["1", 2, 3, 4, 5, 6]]}, "list of numbers"),
        ({"segmentation": [[1, 2, 3, 4, 1e9, 6]]}, "far outside"),
        ({"segmentation": [[1, 2, 3, 4, float("nan"), 6]]}, "far outside"),
        ({"segmentation": [[1, 2, 3, 4, 10**400, 6]]}, "too large"),
        ({"segmentation": [[0, 0, 30, 20] * 20_000]}, "outline"),
        ({"segmentation": [[3, 3, 3, 3, 3, 3]]}, "no pixel"),
        ({"segmentation": {"size": [20, 30], "counts": [600]}}, "no pixel"),
        ({"segmentation": {"size": [20, 30], "counts": [1, 2, 3]}}, "do not fill"),
        ({"segmentation": {"size": [20, 30], "counts": [-1, 601]}}, "do not fill"),
        ({"segmentation": {"size": [20, 30], "counts": [0.5, 599.5]}}, "integers"),
        ({"segmentation": {"size": [20, 30], "counts": [2**70]}}, "integers"),
        ({"segmentation": {"size": [20, 30], "counts": 5}}, "string or a list"),
        ({"segmentation": {"size": [20, 30], "counts": ""}}, "empty"),
        ({"segmentation": {"size": [20, 30], "counts": "ooo"}}, "ends early"),
        ({"segmentation": {"size": [20, 30], "counts": "o" * 30 + "0"}}, "larger than any picture"),
        ({"segmentation": {"size": [2, 3], "counts": [6]}}, "are of another size"),
        ({"area": "large"}, "area"),
        ({"area": float("inf")}, "area"),
        ({"iscrowd": 2}, "iscrowd"),
    ],
)
def test_a_defective_annotation_is_left_out_and_listed(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    folder = CocoFolder(*write(tmp_path, annotations=[annotation(**change), annotation(id=9)]))
    assert [instance.id for instance in folder.sample("1").instances] == [9]
    assert list(folder.defects) == ["5"]
    assert reason in folder.defects["5"]


@pytest.mark.usefixtures("reading")
def test_annotations_are_counted_by_reason(tmp_path: Path) -> None:
    pictures = [
        {"id": place, "file_name": "a.png", "height": str(HEIGHT), "width": WIDTH} for place in range(3)
    ]
    # Ids begin anew in each picture.
    listed = [annotation(id=number, image_id=image) for image in range(3) for number in range(2)]
    listed += [
        annotation(id=10, image_id=0, segmentation=None, keypoints=[1, 2, 2]),
        annotation(id=11, image_id=0, segmentation=[[1, 2, 3, 4]]),
        annotation(id=12, image_id=0, segmentation=[[1, 2]]),
        annotation(id=13, image_id="a.png"),
        {"image_id": 0, "file_name": "a.png", "segments_info": []},
    ]
    folder = CocoFolder(*write(tmp_path, images=pictures, annotations=listed))
    assert folder.ids[:2] == ["0", "1"]
    for _ in range(2):
        assert len(folder.sample("0").instances) == 2
        assert folder.counts.used == 2
        assert folder.counts.lost == {
            "its image is not listed": 1,
            "another annotation of the file has the same id": 2,
            "it is panoptic, in place of an instance": 1,
            "it has no segmentation": 1,
            "a polygon has at least three corners of two numbers": 2,
        }
        assert str(folder.counts).startswith("7 of 9 annotations were left out (")


def test_what_exports_leave_undefined_is_absent(tmp_path: Path) -> None:
    mixed = annotation(segmentation=[[1, 1, 2, 2], *SQUARE, [3, 3]], area=None, iscrowd=None)
    folder = CocoFolder(*write(tmp_path, annotations=[mixed]))
    (instance,) = folder.sample("1").instances
    assert (instance.area, instance.crowd, int(instance.mask.sum())) == (100, False, 100)
    assert not folder.counts.lost


def test_annotations_that_belong_nowhere_are_listed(tmp_path: Path) -> None:
    homeless = [
        annotation(),
        annotation(),
        annotation(id=8, image_id=2),
        annotation(id="x"),
        3,
        annotation(id=2**70),
    ]
    secrets = [{"image_id": 1}, {"image_id": 1, "kind": "key", "content": "", "bbox": [0, 0, 1, 1]}, 4]
    folder = CocoFolder(*write(tmp_path, annotations=homeless, secrets=secrets))
    assert len(folder.sample("1").instances) == 1
    assert folder.defects["5 at place 1"] == "another annotation of the file has the same id"
    assert folder.defects["8"] == "its image is not listed: 2"
    assert len(folder.defects) == 8


@pytest.mark.usefixtures("reading")
def test_many_defects_and_many_masks_fill_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedbench.data.coco_file.MOST_DEFECTS", 3)
    monkeypatch.setattr("pedbench.data.coco.MOST_MASK_PIXELS", 2 * WIDTH * HEIGHT)
    annotations = [annotation(id=number, image_id=1 + number % 2) for number in range(20)]
    folder = CocoFolder(*write(tmp_path, annotations=annotations))
    assert folder.defects["further"] == "7 are left out, too"
    assert [instance.id for instance in folder.sample("1").instances] == [0, 2]
    assert folder.defects["further"] == "8 are left out, too"
    assert len(folder.defects) == 4


def test_pictures_that_are_no_candidates_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Any] = []

    def spy(segmentation: Any, size: tuple[int, int]) -> Any:
        decoded.append(segmentation)
        return decode_segmentation(segmentation, size)

    monkeypatch.setattr("pedbench.data.coco.decode_segmentation", spy)
    images = [{"id": id, "file_name": "a.png", "height": HEIGHT, "width": WIDTH} for id in range(6)]
    annotations = [annotation(id=id, image_id=id // 2) for id in range(12)]
    folder = CocoFolder(*write(tmp_path, images=images, annotations=annotations))
    assert decoded == []
    assert folder.ids[:2] == ["0", "1"]
    assert len(decoded) == 4
    assert folder.counts.used == 4
