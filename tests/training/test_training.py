"""Training: what a step sees, what it minimises, and that stopping does not change where it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.models.sam.architectures import SAM_TINY
from pedbench.models.sam.assembly import build_sam, randomise
from pedbench.scenes.render import render
from pedbench.training.core.loop import Schedule, Trainer
from pedbench.training.core.task import prefetched
from pedbench.training.data.batches import make_batch
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.prompting import Prompts, decode_masks, error_click, mask_loss
from pedbench.training.tasks.segmentation import DenseHead, training_loss
from pedbench.training.tasks.validation import one_click_scores
from pedbench.utility.prompts import innermost_pixel

SEED, COUNT, BATCH, PROMPTS = 3, 6, 2, 3


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    """Compiling takes a minute and changes no result that is compared here."""
    with torch.compiler.set_stance("force_eager"):
        yield


def test_packed_scenes_are_the_rendered_ones(scenes: PackedScenes) -> None:
    for index in (0, COUNT - 1):
        scene = render(SEED, index, "train")
        height, width = scene.image.shape[:2]
        np.testing.assert_array_equal(scenes.images[index, :height, :width], scene.image)
        assert scenes.counts[index] == len(scene.objects)
        for place, each in enumerate(scene.objects):
            np.testing.assert_array_equal(scenes.labels[index, :height, :width] == place + 1, each.mask)
            assert scenes.category_names[scenes.categories[index, place]] == each.category
            np.testing.assert_allclose(scenes.centres[index, place], innermost_pixel(each.mask))


def test_targets_cover_what_is_clicked(scenes: PackedScenes) -> None:
    batch = make_batch(scenes, size=BATCH, prompts=PROMPTS, seed=0, step=0)
    assert batch.valid.all()
    for point, box, target in zip(batch.clicks.points[:, 0], batch.boxes.points, batch.targets, strict=True):
        x, y = (point // 4).long().tolist()
        assert target[y, x] > 0
        rows, columns = np.nonzero(target.numpy())
        left, top, right, bottom = (box.flatten() / 4).tolist()
        slack = 1 + 0.15 * max(right - left, bottom - top)
        assert abs(columns.min() - left) <= slack
        assert abs(columns.max() + 1 - right) <= slack
        assert abs(rows.min() - top) <= slack
        assert abs(rows.max() + 1 - bottom) <= slack


def test_decode_is_segment_anythings_decoder() -> None:
    network = build_sam(SAM_TINY)
    randomise(network, 0)
    features = torch.randn(2, 64, 20, 20, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[[30.0, 40.0]], [[200.0, 10.0]], [[5.0, 300.0]], [[160.0, 160.0]]])
    padded = torch.cat([points, torch.zeros_like(points)], dim=1)
    before = torch.randn(4, 1, 80, 80, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        prompts = Prompts(points=padded, labels=torch.tensor([1, -1]).expand(4, 2))
        logits, predicted = decode_masks(network, features, prompts, before)
        for picture in range(2):
            part = slice(2 * picture, 2 * picture + 2)
            sparse, dense = network.prompt_encoder(
                points=(points[part], torch.ones(2, 1, dtype=torch.long)), boxes=None, masks=before[part]
            )
            masks, iou = network.mask_decoder(
                image_embeddings=features[picture : picture + 1],
                image_pe=network.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
            )
            torch.testing.assert_close(logits[part], masks, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(predicted[part], iou, atol=1e-4, rtol=1e-4)


def test_loss_prefers_the_right_mask_and_its_right_score() -> None:
    target = torch.zeros(1, 8, 8)
    target[:, 2:6, 2:6] = 1
    right, empty = (2 * target - 1) * 12, torch.full((1, 8, 8), -12.0)
    valid = torch.ones(1)
    sure, iou = mask_loss(torch.stack([right, empty, empty], 1), torch.tensor([[1.0, 0, 0]]), target, valid)
    assert iou.tolist() == [1.0]
    wrong, iou = mask_loss(torch.stack([right, empty, empty], 1), torch.tensor([[0.0, 1, 0]]), target, valid)
    assert iou.tolist() == [0.0]
    assert wrong > sure
    hidden, _ = mask_loss(torch.stack([empty] * 3, 1), torch.zeros(1, 3), target, valid)
    assert hidden > wrong
    ignored, _ = mask_loss(torch.stack([empty] * 3, 1), torch.zeros(1, 3), target, torch.zeros(1))
    assert ignored == 0


def test_further_clicks_fall_where_the_mask_is_wrong() -> None:
    target = torch.zeros(2, 8, 8)
    target[:, 2:6, 2:6] = 1
    logits = torch.full((2, 3, 8, 8), -1.0)
    logits[1, :, :6, :6] = 1
    draw = torch.rand(2, 64, generator=torch.Generator().manual_seed(0))
    point, label, before = error_click(logits, torch.zeros(2, 3), target, 32, draw)
    assert label.tolist() == [1, 0]
    columns, rows = (point // 4).long().T.tolist()
    assert target[0, rows[0], columns[0]] == 1
    assert target[1, rows[1], columns[1]] == 0
    assert max(rows[1], columns[1]) < 6
    assert before.shape == (2, 1, 8, 8)


def _trained(scenes: PackedScenes, folder: Path, stops: list[int]) -> dict[str, torch.Tensor]:
    """Train for some steps, leaving off after each of `stops` as a killed run would."""
    schedule = Schedule(steps=stops[-1], warmup=2)
    for last in stops:
        torch.manual_seed(0)
        network = build_sam(SAM_TINY).train()
        dense = DenseHead(64, len(scenes.category_names))
        trainer = Trainer(network, dense, schedule, folder)
        trainer.resume()

        def loss_of(step: int, batch: Any, network: Any = network, dense: Any = dense) -> Any:
            return training_loss(network, dense, batch, ("click", "box", "clicks")[step % 3], None)

        def make(step: int) -> Any:
            return make_batch(scenes, size=BATCH, prompts=PROMPTS, seed=0, step=step)

        steps = prefetched(make, trainer.step, last)
        trainer.run(steps, loss_of, lambda step, values: None)
    return trainer.average


@pytest.mark.slow
def test_resumed_training_ends_at_the_same_weights(scenes: PackedScenes, tmp_path: Path) -> None:
    whole = _trained(scenes, tmp_path / "whole", [5])
    parts = _trained(scenes, tmp_path / "parts", [1, 3, 5])
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_rate_warms_up_holds_and_decays() -> None:
    schedule = Schedule(steps=100, warmup=10, decay=0.25)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10:75] == [1.0] * 65
    assert factors[-1] == pytest.approx(0.04)
    assert schedule.decay_starts == 75
    assert replace(schedule, steps=200).factor(90) == 1.0


def test_validation_scores_are_of_the_masks_own_size_class(scenes: PackedScenes) -> None:
    network = build_sam(SAM_TINY)
    randomise(network, 0)
    scores = one_click_scores(network, scenes)
    assert {"S", "M", "ML", "all"} <= scores.keys()
    assert all(0 <= value <= 1 for value in scores.values())
    assert min(scores["S"], scores["ML"]) <= scores["all"] <= max(scores["S"], scores["ML"])
