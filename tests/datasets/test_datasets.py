"""The datasets as a run uses them: by name, with paths and parameters that may be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.data.readable import FileDataset
from pedbench.errors import DatasetError, PluginError
from pedbench.registry import Registry

DATA = Path(__file__).parents[3] / "shared" / "data"


def dataset(name: str, **params: Any) -> FileDataset:
    found = Registry().create("datasets", name, params)
    assert isinstance(found, FileDataset)
    return found


def paint(path: Path, colour: str, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_folder_takes_pictures_by_name(tmp_path: Path) -> None:
    for name, colour in (("b.png", "red"), ("a/z.JPG", "blue"), ("a/.hidden.png", "red"), ("c.webp", "lime")):
        paint(tmp_path / name, colour)
    (tmp_path / "a" / "broken.png").write_bytes((tmp_path / "b.png").read_bytes()[:-30])
    (tmp_path / "notes.txt").write_text("no picture")
    found = dataset("folder", data=str(tmp_path))
    assert list(found.ids()) == ["a/z.JPG", "b.png", "c.webp"]
    assert list(found.left_out) == ["a/broken.png"]
    assert len(found) == 3
    assert found[1].id == "b.png"
    assert found[1].image.shape == (6, 8, 3)
    np.testing.assert_array_equal(found[1].image[0, 0], [1, 0, 0])
    assert found[1].instances == ()


def test_folder_names_pictures_in_other_formats_once(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", "red")
    paint(tmp_path / "b.jpg", "red")
    (tmp_path / "b.jpg").rename(tmp_path / "b.JFIF")
    for name in ("c.heic", "d.HEIC", "e.jxl", "notes.txt"):
        (tmp_path / name).write_bytes(b"ftypheic")
    found = dataset("folder", data=str(tmp_path))
    assert list(found.ids()) == ["a.png", "b.JFIF"]
    ((name, reason),) = found.left_out.items()
    assert name == "c.heic and 2 more"
    assert "pictures in .heic, .jxl are not read" in reason


@pytest.mark.parametrize(
    ("images", "file", "name", "part"),
    [
        ("images", "annotations/instances_default.json", "a.png", ""),
        ("images/val2017", "annotations/instances_val2017.json", "a.png", ""),
        ("images", "result.json", "images/a.png", ""),
        ("valid", "valid/_annotations.coco.json", "a.png", "valid"),
    ],
)
def test_coco_layouts_of_other_programs(images: str, file: str, name: str, part: str, tmp_path: Path) -> None:
    paint(tmp_path / images / "a.png", "red")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    triangle = {"id": 0, "image_id": 0, "category_id": 0, "segmentation": [[1, 1, 6, 1, 6, 5]]}
    content = {"images": [{"id": 0, "file_name": name}], "annotations": [triangle], "categories": []}
    (tmp_path / file).write_text(json.dumps(content))
    found = dataset("coco", data=str(tmp_path / part))
    assert len(found[0].instances) == 1
    if part:
        with pytest.raises(DatasetError, match=f"Roboflow export.*--data {tmp_path}/valid"):
            dataset("coco", data=str(tmp_path)).ids()


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").touch()
    with pytest.raises(DatasetError, match="looks like an export as YOLO"):
        dataset("coco", data=str(tmp_path)).ids()


def test_folder_revision_follows_names_and_sizes(tmp_path: Path) -> None:
    paint(tmp_path / "one" / "a.png", "red")
    paint(tmp_path / "one" / "b.png", "red")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first, second = (dataset("folder", data=str(tmp_path / name)).revision for name in ("one", "two"))
    assert first == second
    assert first.endswith("-2")
    (tmp_path / "two" / "b.png").rename(tmp_path / "two" / "c.png")
    assert dataset("folder", data=str(tmp_path / "two")).revision != first


def test_missing_data_says_where_and_what_to_do(tmp_path: Path, home: Path) -> None:
    (tmp_path / "empty").mkdir()
    expectations = [
        ("coco", {}, f"{home}/coco.*--data PATH.*pedbench fetch coco"),
        ("coco", {"data": str(tmp_path / "gone")}, f"{tmp_path}/gone.*--data PATH"),
        ("folder", {"data": str(tmp_path / "gone")}, f"{tmp_path}/gone.*--data PATH"),
        ("folder", {}, "--data PATH"),
        ("folder", {"data": str(tmp_path / "empty")}, "holds no picture"),
    ]
    for name, params, message in expectations:
        with pytest.raises(DatasetError, match=message):
            dataset(name, **params).ids()
    with pytest.raises(PluginError, match="count is at least 1, found 0"):
        dataset("scenes", count=0)
    with pytest.raises(PluginError, match="'train', 'val'"):
        dataset("scenes", split="test")


def test_scenes_are_drawn_once_and_read_as_coco(home: Path) -> None:
    found = dataset("scenes", count=2, seed=77)
    assert list(found.ids()) == ["0", "1"]
    assert not found.left_out
    sample = found[1]
    assert max(sample.image.shape) == 320
    assert len(sample.instances) >= 6
    assert all(instance.mask.shape == sample.image.shape[:2] for instance in sample.instances)
    assert all(instance.area == instance.mask.sum() for instance in sample.instances)
    assert {secret.kind for item in (found[0], sample) for secret in item.secrets} >= {"text"}
    (folder,) = (home / "scenes").iterdir()
    stamp = (folder / "annotations" / "instances.json").stat().st_mtime_ns
    again = dataset("scenes", count=2, seed=77)
    np.testing.assert_array_equal(again[1].image, sample.image)
    assert (folder / "annotations" / "instances.json").stat().st_mtime_ns == stamp
    assert not found.defects
    revisions = {dataset("scenes", **params).revision for params in ({}, {"seed": 77}, {"split": "train"})}
    assert len(revisions) == 3
    assert dataset("scenes", count=5).revision == dataset("scenes").revision
    as_coco = dataset("coco", data=str(folder))
    np.testing.assert_array_equal(as_coco[1].image, sample.image)
    assert as_coco[1].secrets == sample.secrets


@pytest.mark.slow
def test_scenes_can_be_chosen_by_what_is_planted(home: Path) -> None:
    few = dataset("scenes", count=2, seed=77, least_words=2, least_faces=1)
    for index in range(2):
        kinds = [secret.kind for secret in few[index].secrets]
        assert kinds.count("text") >= 2
        assert kinds.count("face") >= 1
    assert [int(id) for id in few.ids()] != [0, 1]
    # A scene is the same, whatever else was chosen.
    last = few.ids()[-1]
    every = dataset("scenes", count=int(last) + 1, seed=77)
    assert every.revision == few.revision
    np.testing.assert_array_equal(every[int(last)].image, few[1].image)
    with pytest.raises(PluginError, match="at least 0, found -1"):
        dataset("scenes", least_words=-1)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real photographs")
def test_real_photographs() -> None:
    coco = dataset("coco", data=str(DATA / "coco"))
    assert coco.revision.endswith("-80")
    first = coco.ids()[:3]
    assert len(first) == 3
    assert coco[0].id == first[0]
    assert len(coco[0].instances) > 0
    folder = dataset("folder", data=str(DATA / "photos"))
    assert len(folder) == 220
    assert not folder.left_out


def test_a_panning_camera_sees_the_same_scene_further_on() -> None:
    from pedbench.pictures.frame import to_frame

    found = Registry().create("datasets", "panning_scenes", {"count": 8, "step": 16, "length": 4})
    whole = dataset("scenes", count=8)
    assert list(found.ids()) == list(whole.ids())
    sample = found[0]
    scene = whole[0].image
    height, width = scene.shape[0] * 4 // 5, scene.shape[1] * 4 // 5
    top = scene.shape[0] // 10
    for request, picture in enumerate((sample.image, *sample.later)):
        left = 16 * request
        np.testing.assert_array_equal(picture, scene[top : top + height, left : left + width])
    # In frames, too, it moves by whole pixels, but for the columns at the edge.
    frames = [to_frame(picture, 320) for picture in (sample.image, *sample.later)]
    np.testing.assert_array_equal(frames[0][:, 21:-1], frames[1][:, 1:-21])
    with pytest.raises(PluginError, match="the way at most 48 pixels"):
        Registry().create("datasets", "panning_scenes", {"step": 20})
