"""The COCO reader against pycocotools, and against files that are wrong in every way known."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from pedbench.data.coco import CocoFolder
from pedbench.data.coco_masks import decode_segmentation
from pedbench.errors import DatasetError
from pedbench.types import Secret

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco"
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


@pytest.fixture(params=["loaded", "streamed"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads files at once, then element by element."""
    if request.param == "streamed":
        monkeypatch.setattr("pedbench.data.coco_file.LARGE", 0)


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


@pytest.mark.parametrize(
    ("orientation", "size", "upright"),
    [(1, (20, 30), False), (6, (30, 20), True), (8, (20, 30), False), (3, (20, 30), None), (6, None, None)],
)
def test_the_annotated_size_decides_whether_a_picture_is_turned(
    orientation: int, size: tuple[int, int] | None, upright: bool | None, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    entry = {"id": 1, "file_name": "t.png"} | ({} if size is None else {"height": size[0], "width": size[1]})
    images, file = write(tmp_path, images=[entry])
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stored[0, 0] = 255
    Image.fromarray(stored).save(images / "t.png", exif=exif)
    folder = CocoFolder(images, file)
    if upright is None:
        assert not list(folder.ids)
        assert f"EXIF orientation {orientation}" in folder.ids.left_out["1"]
        return
    # A quarter of a turn with the clock.
    expected = np.rot90(stored, 3) if upright else stored
    np.testing.assert_array_equal(folder.sample("1").image * 255, expected)


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
        ({"height": "021"}, "is 30 x 20 pixels, but annotated as 30 x 21"),
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


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ('{"images": [', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "it is no object|no list"),
        ('{"images": [{"id": 1}], "annotations": [{"id": 5, "image', "is not JSON"),
        ('{"images": [{"id": 1}], "annotations": [' + "9" * 5000 + "]}", "is not JSON"),
        ('{"images": []}', "'annotations'|'images'"),
        ('{"images": {}, "annotations": []}', "'images'"),
        ('{"images": [], "annotations": []}', "lists no images|'images'"),
        ('{"images": [{}], "annotations": []}', "no usable id"),
        ('{"images": [4], "annotations": []}', "no usable id"),
        ('{"images": [{"id": 1}, {"id": "1"}], "annotations": []}', "two images have the id 1"),
    ],
)
def test_an_unusable_file_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        CocoFolder(tmp_path, tmp_path / "a.json")


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [("[" * 500 + "]" * 500, "more than 100 deep"), (str(2**70), "integer overflow"), ("NaN", "invalid")],
)
def test_a_large_file_holds_no_odd_values(
    segmentation: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedbench.data.coco_file.LARGE", 0)
    images, file = write(tmp_path, annotations=[annotation(segmentation="VALUE")])
    file.write_text(file.read_text().replace('"VALUE"', segmentation))
    with pytest.raises(DatasetError, match=reason):
        CocoFolder(images, file)


@pytest.mark.parametrize("shift", range(3))
def test_brackets_in_words_are_no_depth(shift: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedbench.data.coco_file.LARGE", 0)
    word = " " * shift + '["\\' * 100_000
    images, file = write(tmp_path, categories=[{"id": 7, "name": word}])
    assert CocoFolder(images, file).sample("1").instances[0].category == word


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize(
    "order", [("annotations", "secrets", "images"), ("secrets", "images", "annotations")]
)
def test_the_order_of_the_lists_does_not_matter(order: tuple[str, ...], tmp_path: Path) -> None:
    secret = {"image_id": 1, "kind": "text", "content": "word", "bbox": [1, 2, 3, 4]}
    images, file = write(tmp_path, secrets=[secret])
    data = json.loads(file.read_text())
    expected = CocoFolder(images, file).sample("1")
    file.write_text(json.dumps({key: data[key] for key in order} | data))
    found = CocoFolder(images, file).sample("1")
    assert [instance.id for instance in found.instances] == [5]
    assert found.secrets == expected.secrets != ()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_a_line_that_crosses_itself_is_filled_as_pycocotools_does(tmp_path: Path) -> None:
    bow = [[2, 2, 20, 15, 20, 2, 2, 15], [5, 5, 15, 5, 15, 15, 5, 15, 5, 5, 15, 15]]
    folder = CocoFolder(*write(tmp_path, annotations=[annotation(segmentation=bow)]))
    (instance,) = folder.sample("1").instances
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(bow, HEIGHT, WIDTH)))
    np.testing.assert_array_equal(instance.mask, np.asarray(expected).astype(bool))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    names = ["inside", "outside", "round", "folder/a"]
    images, file = write(
        tmp_path, images=[{"id": number, "file_name": f"{name}.png"} for number, name in enumerate(names)]
    )
    (tmp_path / "private").mkdir()
    Image.new("RGB", (WIDTH, HEIGHT), "blue").save(tmp_path / "private" / "a.png")
    (images / "inside.png").symlink_to("a.png")
    (images / "outside.png").symlink_to(tmp_path / "private" / "a.png")
    (images / "round.png").symlink_to("round.png")
    (images / "folder").symlink_to(tmp_path / "private")
    left_out = CocoFolder(images, file).ids
    assert list(left_out) == ["0"]
    assert "is a link out of" in left_out.left_out["1"]
    assert "no such file" in left_out.left_out["2"]
    assert "is a link out of" in left_out.left_out["3"]
    (tmp_path / "linked").symlink_to(images)
    assert list(CocoFolder(tmp_path / "linked", file).ids) == ["0"]


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


def test_a_file_that_changes_later_does_not_matter(tmp_path: Path) -> None:
    images, file = write(tmp_path)
    folder = CocoFolder(images, file)
    file.write_text("")
    assert [instance.id for instance in folder.sample("1").instances] == [5]


def test_a_mark_before_the_text_is_passed_over(tmp_path: Path) -> None:
    images, file = write(tmp_path)
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert len(CocoFolder(images, file).sample("1").instances) == 1


@pytest.mark.long
def test_many_annotations_take_some_bytes_each(tmp_path: Path) -> None:
    """A tenth of ten million, in a process of its own whose memory is counted."""
    count = 1_000_000
    _, file = write(tmp_path)
    line = json.dumps(annotation())
    before, after = line.split('"id": 5', 1)
    with file.open("w") as stream:
        stream.write('{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [')
        stream.writelines(f'{before}"id": {number}{after}, ' for number in range(count))
        stream.write(before + '"id": -1' + after + "]}")
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pedbench.data.coco import CocoFolder\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "folder = CocoFolder(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, len(folder.defects))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "images"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kilobytes, defects = map(int, done.stdout.split())
    assert defects == 0
    assert file.stat().st_size > 100 * count
    assert kilobytes * 1024 < 100 * count


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.json: the annotations cannot be read"):
        CocoFolder(tmp_path, tmp_path / "nowhere.json")


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
