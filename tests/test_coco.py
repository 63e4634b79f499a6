"""The COCO reader against pycocotools, and against files that are wrong in every way known."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from pedbench.coco import CocoFolder
from pedbench.coco_masks import decode_segmentation
from pedbench.reading import DatasetError
from pedbench.types import Secret

DATA = Path(__file__).parents[2] / "shared" / "data" / "coco"
HEIGHT, WIDTH = 20, 30
SQUARE = [[5, 5, 15, 5, 15, 15, 5, 15]]


def write(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Writes a folder of one picture with one square; `changes` replace parts of its JSON file."""
    (folder / "images").mkdir(exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), "red").save(folder / "images" / "a.png")
    data = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": [annotation()],
        "categories": [{"id": 7, "name": "box"}],
    } | changes
    (folder / "a.json").write_text(json.dumps(data))
    return folder / "images", folder / "a.json"


def annotation(**changes: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "image_id": 1,
        "category_id": 7,
        "segmentation": SQUARE,
        "area": 100,
        "iscrowd": 0,
    } | changes


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
        ({"segmentation": None}, "list of polygons or run lengths"),
        ({"segmentation": []}, "empty"),
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
        ({"segmentation": {"size": [2, 3], "counts": [6]}}, "are of size"),
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
    assert folder.defects["5 at place 1"] == "another annotation has the same id"
    assert folder.defects["8"] == "there is no image 2"
    assert len(folder.defects) == 8


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file_name": "../a.json"}, "leads out of the folder"),
        ({"file_name": "/etc/passwd"}, "leads out of the folder"),
        ({"file_name": "..\\a.png"}, "no file name"),
        ({"file_name": None}, "no file name"),
        ({"file_name": "b.png"}, "no such file"),
        ({"file_name": "\ud800.png"}, "no such file"),
        ({"height": 21}, "is 30 x 20 pixels, but annotated as 30 x 21"),
        ({"height": "tall"}, "annotated as 30 x tall"),
    ],
)
def test_an_unusable_picture_is_left_out(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    good = {"id": "good", "file_name": "a.png"}
    bad = {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH} | change
    folder = CocoFolder(*write(tmp_path, images=[bad, good]))
    assert list(folder.ids) == ["good"]
    assert list(folder.ids.left_out) == ["1"]
    assert reason in folder.ids.left_out["1"]
    assert folder.sample("good").instances == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ('{"images": [', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "found a list"),
        ('{"images": []}', "'annotations'"),
        ('{"images": {}, "annotations": []}', "'images'"),
        ('{"images": [], "annotations": []}', "lists no images"),
        ('{"images": [{}], "annotations": []}', "no usable id"),
        ('{"images": [4], "annotations": []}', "no usable id"),
        ('{"images": [{"id": 1}, {"id": "1"}], "annotations": []}', "two images have the id 1"),
    ],
)
def test_an_unusable_file_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        CocoFolder(tmp_path, tmp_path / "a.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.json: the annotations cannot be read"):
        CocoFolder(tmp_path, tmp_path / "nowhere.json")
