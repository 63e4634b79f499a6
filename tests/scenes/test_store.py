import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from pedbench.scenes import REVISION, class_names, render, write_split

COUNT = 3


# pycocotools 2.0.11 decodes through an interface that numpy 2 deprecates.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_written_split_reads_back_as_rendered(tmp_path: Path) -> None:
    root, seen = tmp_path / "val", []
    write_split(root, seed=5, count=COUNT, split="val", workers=1, progress=lambda *step: seen.append(step))
    assert seen == [(done, COUNT) for done in (1, 2, 3)]
    coco = COCO(root / "annotations" / "instances.json")
    assert tuple(each["name"] for each in coco.loadCats(coco.getCatIds())) == class_names
    assert len(set(coco.getAnnIds())) == sum(len(render(5, index, "val").objects) for index in range(COUNT))
    secrets = coco.dataset["secrets"]
    for index in range(COUNT):
        scene = render(5, index, "val")
        about = coco.loadImgs([index])[0]
        picture = np.asarray(Image.open(root / "images" / about["file_name"]))
        assert np.array_equal(picture, scene.image)
        assert (about["height"], about["width"]) == scene.image.shape[:2]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[index]))
        for annotation, each in zip(annotations, scene.objects, strict=True):
            assert np.array_equal(coco.annToMask(annotation).astype(bool), each.mask)
            assert coco.loadCats([annotation["category_id"]])[0]["name"] == each.category
            rows, columns = np.nonzero(each.mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == box
            assert (annotation["area"], annotation["amodal_area"]) == (each.mask.sum(), each.amodal_area)
            assert annotation["iscrowd"] == 0
        own = [
            (each["kind"], each["content"], tuple(each["bbox"]))
            for each in secrets
            if each["image_id"] == index
        ]
        assert own == [(each.kind, each.content, each.box) for each in scene.secrets]


def test_a_split_is_written_once(tmp_path: Path) -> None:
    root = tmp_path / "val"
    write_split(root, seed=5, count=1, split="val", workers=1)
    before = (root / "annotations" / "instances.json").stat().st_mtime_ns
    write_split(root, seed=5, count=1, split="val", workers=1)
    assert (root / "annotations" / "instances.json").stat().st_mtime_ns == before
    assert [each.name for each in tmp_path.iterdir()] == ["val"]
    assert json.loads((root / "scenes.json").read_text())["revision"] == REVISION
    with pytest.raises(ValueError, match="expected"):
        write_split(root, seed=6, count=1, split="val", workers=1)


@pytest.mark.slow
def test_scenes_with_too_few_secrets_are_passed_over(tmp_path: Path) -> None:
    root = tmp_path / "val"
    write_split(root, seed=5, count=3, split="val", workers=1, least={"text": 1, "face": 1})
    found = json.loads((root / "annotations" / "instances.json").read_text())
    kept = [image["id"] for image in found["images"]]
    enough = []
    for index in range(kept[-1] + 1):
        kinds = {each.kind for each in render(5, index, "val").secrets}
        enough += [index] if kinds == {"text", "face"} else []
    assert kept == enough
    assert len(kept) == 3
    assert sorted(path.name for path in (root / "images").iterdir()) == [f"{id:06d}.png" for id in kept]
    assert np.array_equal(
        np.asarray(Image.open(root / "images" / f"{kept[1]:06d}.png")), render(5, kept[1], "val").image
    )
    with pytest.raises(ValueError, match="expected"):
        write_split(root, seed=5, count=3, split="val", workers=1)


def test_secrets_that_no_scene_holds_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedbench.scenes.store._RAREST", 2)
    with pytest.raises(ValueError, match="only 0 of the first 2 scenes hold so many words and faces"):
        write_split(tmp_path / "val", seed=5, count=1, split="val", workers=1, least={"face": 99})
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"scenes\.json is missing"):
        write_split(tmp_path, seed=5, count=1, split="val", workers=1)
    with pytest.raises(ValueError, match="count=0"):
        write_split(tmp_path / "new", seed=5, count=0, split="val", workers=1)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_split(tmp_path / "val", seed=5, count=2, split="val", workers=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_split(tmp_path / str(workers), seed=5, count=9, split="val", workers=workers)
    one, two = (sorted((tmp_path / name).rglob("*.*")) for name in ("1", "2"))
    assert [each.read_bytes() for each in one if each.is_file()] == [
        each.read_bytes() for each in two if each.is_file()
    ]
