"""Batches of photographs: what they hold, and that a broken picture is replaced."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.measure
import torch

from pedbench.data.coco import CocoFolder
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.pictures.frame import mask_to_frame, to_frame
from pedbench.training.data.photographs import Photographs
from pedbench.training.data.pictures import order

pytestmark = pytest.mark.long


def test_clicks_lie_in_the_objects_whose_masks_are_learned(scene_folder: Path) -> None:
    photographs = Photographs(
        scene_folder / "images", scene_folder / "annotations" / "instances.json", held_out=1, seed=0
    )
    folder = CocoFolder(scene_folder / "images", scene_folder / "annotations" / "instances.json")
    ids = {name: id for id, name in folder.file_names.items()}
    size, canvas, mirrored = 2, SAM_MINI.image_size, set()
    for step in range(4):
        frames = photographs.batch(step, size=size, part=slice(None), canvas=canvas, points=9, objects=True)
        for slot, index in enumerate(order(len(photographs.ids), size, 0, step)):
            sample = folder.sample(ids[photographs.ids[index]])
            frame = to_frame(sample.image, canvas)
            height, width = frame.shape[:2]
            shown = frames.images[slot, :, :height, :width].permute(1, 2, 0).numpy()
            flips = [np.corrcoef(shown.ravel(), one.ravel())[0, 1] for one in (frame, frame[:, ::-1])]
            flip = slice(None, None, -1 if flips[1] > flips[0] else 1)
            mirrored.add(flip.step)
            padding = ((0, canvas - height), (0, canvas - width))
            masks = [
                np.pad(mask_to_frame(each.mask, (height, width))[:, flip], padding)
                for each in sample.instances
            ]
            shares = np.array([skimage.measure.block_reduce(mask, (4, 4), np.mean) for mask in masks])
            chosen = [
                int(np.abs(shares - target).max((1, 2)).argmin()) for target in frames.targets[slot].numpy()
            ]
            assert len(set(chosen)) == min(9, len(masks))
            for target, point, place in zip(frames.targets[slot], frames.points[slot], chosen, strict=True):
                np.testing.assert_array_equal(target, shares[place])
                assert masks[place][int(point[1]), int(point[0])]
    assert mirrored == {1, -1}


def test_batches_depend_on_seed_and_step_alone_and_leave_out_what_is_held_out(images: Path) -> None:
    def read_batch(seed: int, step: int, part: slice = slice(None)) -> Any:
        photographs = Photographs(images, None, held_out=2, seed=seed)
        return photographs, photographs.batch(step, size=2, part=part, canvas=320, points=3)

    photographs, batch = read_batch(0, 5)
    _, repeated = read_batch(0, 5)
    assert torch.equal(batch.images, repeated.images)
    assert torch.equal(batch.points, repeated.points)
    assert not torch.equal(batch.images, read_batch(0, 6)[1].images)
    assert torch.equal(batch.images[1:], read_batch(0, 5, slice(1, 2))[1].images)
    assert not set(photographs.ids) & set(photographs.held_out)
    assert len(photographs.ids) == 4
    for (height, width), points in zip(batch.sizes, batch.points, strict=True):
        assert ((points >= -0.5) & (points < torch.tensor([width, height]))).all()


def test_a_broken_picture_is_named_and_replaced(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(images, folder)
    for name in sorted(folder.iterdir())[:3]:
        name.write_bytes(b"no picture")
    lines: list[str] = []
    photographs = Photographs(folder, None, held_out=1, seed=0, say=lines.append)
    for step in range(4):
        batch = photographs.batch(step, size=2, part=slice(None), canvas=320, points=0)
        assert (batch.images.flatten(1).float().std(1) > 0).all()
    assert len(lines) == len(photographs.left_out) >= 1
    assert all("is no picture" in line for line in lines)
