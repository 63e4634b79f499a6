"""Pictures of a COCO folder: which are left out, and which are turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.data.coco import CocoFolder
from tests.data.made_coco import HEIGHT, WIDTH, write


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
