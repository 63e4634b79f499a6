"""Annotation files of COCO folders: wrong ones are refused, and large ones are streamed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pedbench.data.coco import CocoFolder
from pedbench.errors import DatasetError
from tests.data.made_coco import annotation, write


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
