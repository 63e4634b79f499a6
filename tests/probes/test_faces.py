"""The finder of faces on scenes."""

from __future__ import annotations

import numpy as np
import pytest

from pedbench.measure.probe_reader import Reader
from pedbench.privacy.claims import held_against, planted
from pedbench.privacy.pieces import Piece
from pedbench.probes.faces import Faces


@pytest.mark.long
def test_most_faces_are_found_in_undefended_scenes_and_few_by_chance() -> None:
    from pedbench.plugins.datasets.scenes import Scenes

    reader, dataset = Reader(Faces(), "cpu"), Scenes(split="val")
    samples = [sample for sample in map(dataset.__getitem__, range(40)) if sample.image.shape[0] == 240]
    size = (240, 320)
    claims = [reader.read(Piece(picture=sample.image, top=0, left=0), size) for sample in samples]
    found, by_chance = [], []
    for index, sample in enumerate(samples):
        for secret in planted(sample, "face", size).values():
            found.append(held_against(secret, claims[index])["faces found"])
            by_chance.append(held_against(secret, claims[index - 1])["faces found"])
    assert len(found) > 15
    assert np.mean(found) >= 0.85
    assert np.mean(by_chance) <= 0.2


@pytest.mark.parametrize("size", [(240, 320), (64, 64), (23, 64)])
def test_there_is_no_face_in_a_plain_picture(size: tuple[int, int]) -> None:
    reader = Reader(Faces(), "cpu")
    assert reader.read(Piece(picture=np.full((*size, 3), 0.4, np.float32), top=0, left=0), (240, 320)) == []
