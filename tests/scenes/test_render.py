"""Promises of scenes, frozen before any model was trained on them."""

import hashlib
import subprocess
import sys
from collections import Counter
from functools import cache

import numpy as np
import pytest

from pedbench.scenes import Scene, class_names, render
from pedbench.scenes.painting.assets import Split, face
from pedbench.scenes.render import SIZES

COUNT = 60

DIGESTS: dict[tuple[int, int, Split], str] = {
    (2, 0, "val"): "e44595302da0e850",
    (2, 1, "val"): "406ce5b48c2816a9",
    (2, 11, "val"): "970d4e472a807617",
    (1, 0, "train"): "d2576eb9623dc704",
    (1, 503, "train"): "51e8cfb22fbdae84",
    (77, 5, "val"): "91d13ee32b751e35",
}


@cache
def validation() -> tuple[Scene, ...]:
    return tuple(render(2, index, "val") for index in range(COUNT))


def digest(scene: Scene) -> str:
    code = hashlib.sha256(scene.image.tobytes())
    for each in scene.objects:
        code.update(f"{each.category} {each.amodal_area}".encode() + np.packbits(each.mask).tobytes())
    code.update(repr(scene.secrets).encode())
    return code.hexdigest()[:16]


@pytest.mark.parametrize(("key", "expected"), DIGESTS.items())
def test_scenes_are_frozen(key: tuple[int, int, Split], expected: str) -> None:
    assert digest(render(*key)) == expected, "scenes changed: raise store.REVISION and pin them anew"


@pytest.mark.slow
def test_a_scene_depends_on_its_number_alone() -> None:
    assert digest(render(2, 7, "val")) == digest(validation()[7])
    assert digest(render(3, 7, "val")) != digest(validation()[7])


def test_pictures_and_masks_are_well_formed() -> None:
    for scene in validation():
        height, width = scene.image.shape[:2]
        assert scene.image.dtype == np.uint8
        assert (width, height) in SIZES
        assert max(width, height) == 320
        covered = np.sum([each.mask for each in scene.objects], axis=0)
        assert covered.max() == 1, "a pixel belongs to two objects"
        for each in scene.objects:
            assert each.mask.dtype == np.bool_
            assert each.mask.shape == (height, width)
            assert 30 <= each.mask.sum() <= each.amodal_area


def test_statistics_that_the_benchmark_relies_on() -> None:
    scenes = validation()
    objects = [
        (each, scene.image.shape[0] * scene.image.shape[1]) for scene in scenes for each in scene.objects
    ]
    areas = np.array([each.mask.sum() for each, _ in objects])
    amodal = np.array([each.amodal_area for each, _ in objects])
    frames = np.array([frame for _, frame in objects])
    assert min(len(scene.objects) for scene in scenes) >= 6
    assert np.mean(areas <= 0.95 * amodal) >= 0.30, "too few are partly hidden"
    assert np.mean(areas < 0.01 * frames) >= 0.30, "too few are small"
    assert np.mean(areas >= 32**2) >= 0.30, "too few are medium or large"
    found = Counter(each.category for each, _ in objects)
    assert set(found) <= set(class_names)
    assert len(found) >= 12
    assert list(class_names) == sorted(class_names)


def test_secrets_are_in_sight() -> None:
    scenes = validation()
    words = [each for scene in scenes for each in scene.secrets if each.kind == "text"]
    faces = [each for scene in scenes for each in scene.secrets if each.kind == "face"]
    assert len(words) >= COUNT  # 200 scenes need 200
    assert len(faces) >= COUNT // 4
    assert all(10 <= each.height <= 16 for each in words)
    assert all(each.height >= 24 for each in faces)
    for scene in scenes:
        height, width = scene.image.shape[:2]
        for each in scene.secrets:
            x, y, w, h = each.box
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= height
            assert each.visible >= 0.9


def test_words_stand_out_from_their_paper() -> None:
    spreads = []
    for scene in validation():
        grey = scene.image.mean(axis=2)
        for each in scene.secrets:
            if each.kind == "text":
                x, y, w, h = (round(value) for value in each.box)
                low, high = np.percentile(grey[y : y + h, x : x + w], (5, 95))
                spreads.append(high - low)
    assert min(spreads) > 60


def test_nobody_is_in_both_splits() -> None:
    people = {
        split: {face(np.random.default_rng(index), split).name for index in range(400)} for split in _splits()
    }
    assert not people["train"] & people["val"]
    assert "eileen_collins" in people["train"]


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="'test'"):
        render(1, 0, "test")  # type: ignore[arg-type]


def test_the_generator_needs_no_torch() -> None:
    code = "import sys, pedbench.scenes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _splits() -> tuple[Split, Split]:
    return "train", "val"
