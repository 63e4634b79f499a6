"""The finder of objects on scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pedbench.measure.probe_reader import Reader
from pedbench.privacy.claims import held_against, planted
from pedbench.privacy.pieces import Piece
from pedbench.probes.objects import Objects


@pytest.mark.slow
def test_most_objects_are_found_in_undefended_scenes_and_few_by_chance() -> None:
    from pedbench.plugins.datasets.scenes import Scenes

    reader, dataset = Reader(Objects(), "cpu"), Scenes(split="val")
    samples = [sample for sample in map(dataset.__getitem__, range(40)) if sample.image.shape[0] == 240]
    size = (240, 320)
    claims = [reader.read(Piece(picture=sample.image, top=0, left=0), size) for sample in samples]
    found, by_chance = [], []
    for index, sample in enumerate(samples):
        for secret in planted(sample, "object", size).values():
            found.append(held_against(secret, claims[index])["objects found"])
            by_chance.append(held_against(secret, claims[index - 1])["objects found"])
    assert len(found) > 100
    assert np.mean(found) >= 0.8
    assert np.mean(by_chance) <= 0.1


@pytest.mark.slow
def test_an_object_in_a_tile_is_found_where_it_lies_in_the_frame() -> None:
    from pedbench.plugins.datasets.scenes import Scenes

    sample = Scenes(count=8)[0]
    size = (sample.image.shape[0], sample.image.shape[1])
    reader = Reader(Objects(), "cpu")
    whole = reader.read(Piece(picture=sample.image, top=0, left=0), size)
    secrets = planted(sample, "object", size).values()
    (secret, *_) = [each for each in secrets if held_against(each, whole)["objects found"]]
    left, top, width, height = map(int, secret.box)
    part = sample.image[top : top + height + 1, left : left + width + 1]
    alone = reader.read(Piece(picture=part, top=top, left=left), size)
    assert held_against(secret, alone) == {"objects found": 1}
    elsewhere = replace(secret, box=(secret.box[0] - width, *secret.box[1:]))
    assert held_against(elsewhere, alone) == {"objects found": 0}


@pytest.mark.parametrize("size", [(240, 320), (64, 64), (1, 64)])
def test_there_is_nothing_in_a_plain_picture(size: tuple[int, int]) -> None:
    reader = Reader(Objects(), "cpu")
    assert reader.read(Piece(picture=np.full((*size, 3), 0.4, np.float32), top=0, left=0), (240, 320)) == []


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_bad_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"threshold must lie in \(0, 1\)"):
        Objects(threshold=threshold)
