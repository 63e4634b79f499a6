"""What detectors see in training, and what each place of theirs is to find."""

from __future__ import annotations

import numpy as np
import torch

from pedbench.training.data.collages import draw_collage
from pedbench.training.data.packing import MAX_INSTANCES, PackedScenes
from pedbench.training.tasks.dense_detection_loss import assigned, dense_loss

SIDES = ((60, 40), (30, 90))
"""Height and width of the rectangles of the two categories."""


def rectangles() -> PackedScenes:
    """Black scenes with one red rectangle (category 0) or blue one (category 1) each."""
    count = 4
    images, labels = np.zeros((count, 320, 320, 3), np.uint8), np.zeros((count, 320, 320), np.uint8)
    categories = np.zeros((count, MAX_INSTANCES), np.int64)
    for index in range(count):
        height, width = SIDES[index % 2]
        place = np.s_[20 + 30 * index : 20 + 30 * index + height, 50 : 50 + width]
        images[index][place] = np.eye(3)[2 * (index % 2)] * 255
        labels[index][place], categories[index, 0] = 1, index % 2
    return PackedScenes(
        images=images,
        labels=labels,
        sizes=np.array([[240, 320], [320, 240], [200, 320], [320, 320]]),
        counts=np.ones(count, np.int64),
        categories=categories,
        centres=np.zeros((count, MAX_INSTANCES, 2), np.float32),
        category_names=("red", "blue"),
    )


def test_collages_box_what_they_show() -> None:
    scenes, whole = rectangles(), 0
    for seed in range(40):
        collage = draw_collage(scenes, seed % 4, 352, np.random.default_rng(seed))
        grey = (collage.picture == 128).all(axis=2)
        for box, category in zip(collage.boxes.astype(int), collage.categories, strict=True):
            x, y, width, height = box.tolist()
            painted = (collage.picture[..., 2 * category] > 150) & ~grey
            assert painted[y : y + height, x : x + width].all()
            assert 0.35 * np.prod(SIDES[category]) <= width * height <= np.prod(SIDES[category])
            if (height, width) == SIDES[category]:
                whole += 1
                # What is there as a whole goes on at most where a part's edge was continued.
                around = painted[y - 1 : y + height + 1, x - 1 : x + width + 1]
                edges = (around[0], around[-1], around[:, 0], around[:, -1])
                assert sum(edge.sum() > 2 for edge in edges) <= 1
    assert whole > 20


def test_places_find_the_smallest_object_of_their_level_that_they_are_amid() -> None:
    rng = np.random.default_rng(0)
    boxes = torch.from_numpy(rng.uniform(0.02, 0.5, (12, 4)))
    boxes[:, :2] = torch.from_numpy(rng.uniform(0.2, 0.8, (12, 2)))
    categories = torch.arange(12)
    kinds, places = assigned(categories, boxes, 128)
    assert len(kinds) == len(places) == 16**2 + 8**2 + 4**2
    position = 0
    for level, count in enumerate((16, 8, 4)):
        for row in range(count):
            for column in range(count):
                fits = []
                for number, (x, y, width, height) in enumerate(boxes.tolist()):
                    extent = (width * height) ** 0.5
                    expected = 0 if extent < 0.1 else 1 if extent < 0.2 else 2
                    near = abs((column + 0.5) / count - x) <= max(0.3 * width, 0.5 / count)
                    if (
                        expected == level
                        and near
                        and abs((row + 0.5) / count - y) <= max(0.3 * height, 0.5 / count)
                    ):
                        fits.append((extent, number))
                assert int(kinds[position]) == (min(fits)[1] if fits else -1)
                if fits:
                    assert torch.equal(places[position], boxes[min(fits)[1]])
                position += 1


def test_the_dense_loss_vanishes_where_all_is_found() -> None:
    category = torch.tensor([[0, -1, 2]])
    truth = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.0] * 4, [0.3, 0.6, 0.1, 0.3]]])
    sure = torch.full((1, 3, 3), -20.0)
    sure[0, 0, 0] = sure[0, 2, 2] = 20
    assert float(dense_loss(sure, truth, category, truth)) < 1e-4
    assert float(dense_loss(sure.roll(1, 2), truth, category, truth)) > 5
    assert float(dense_loss(sure, truth + 0.05, category, truth)) > 1
    nothing = torch.full_like(category, -1)
    assert float(dense_loss(torch.full_like(sure, -20), truth, nothing, truth)) < 1e-4
