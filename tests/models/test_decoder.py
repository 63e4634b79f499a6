"""Prompted masks against `segment_anything`'s own predictor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from pedbench.models.sam.architectures import SAM_MINI, Architecture
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.decoder import predict_masks, upscale

ORIGINAL = (211, 333)


def test_equals_the_predictor(
    random_sam: Callable[[Architecture], Any], reference_sam: Callable[[Architecture, Any], Any]
) -> None:
    sam = random_sam(SAM_MINI)
    predictor = SamPredictor(reference_sam(SAM_MINI, sam))
    image = np.random.default_rng(3).integers(0, 256, (*ORIGINAL, 3), np.uint8)
    predictor.set_image(image)
    frame = predictor.transform.apply_image(image)
    features = sam.image_encoder(preprocess(sam, frame))
    points = np.array([[[20.0, 31.0], [300.0, 200.0]], [[111.0, 7.0], [5.0, 5.0]], [[64.0, 150.0], [0, 0]]])
    labels = np.array([[1, 0], [1, 1], [1, -1]])
    boxes = np.array([[10.0, 20.0, 90.0, 120.0], [0.0, 0.0, 333.0, 211.0], [40.0, 3.0, 44.0, 9.0]])
    ours: dict[str, Any] = {
        "points": torch.from_numpy(predictor.transform.apply_coords(points, ORIGINAL)),
        "labels": torch.from_numpy(labels),
        "boxes": torch.from_numpy(predictor.transform.apply_boxes(boxes, ORIGINAL)),
    }
    for kinds in (("points", "labels"), ("boxes",), ("points", "labels", "boxes")):
        low, ious = predict_masks(sam, features, batch=2, **{kind: ours[kind] for kind in kinds})
        masks = upscale(sam, low, frame.shape[:2], ORIGINAL)
        for row in range(3):
            theirs = predictor.predict(
                point_coords=points[row] if "points" in kinds else None,
                point_labels=labels[row] if "points" in kinds else None,
                box=boxes[row] if "boxes" in kinds else None,
                return_logits=True,
            )
            for found, expected in zip((masks[row], ious[row], low[row]), theirs, strict=True):
                np.testing.assert_allclose(found.numpy(), expected, atol=1e-4, rtol=1e-4)


def test_prompts_that_do_not_fit_are_refused(random_sam: Callable[[Architecture], Any]) -> None:
    sam, features = random_sam(SAM_MINI), torch.zeros(1, 128, 20, 20)
    point, label, box = torch.zeros(2, 1, 2), torch.ones(2, 1), torch.zeros(3, 4)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "neither points nor boxes"),
        ({"points": point}, "points need labels"),
        ({"points": point, "labels": label[:1]}, r"expected points \(B, K, 2\)"),
        ({"boxes": box[:, :3]}, r"expected boxes \(B, 4\)"),
        ({"points": point, "labels": label, "boxes": box}, "2 prompts of points and 3 boxes"),
    ]
    for prompt, message in wrong:
        with pytest.raises(ValueError, match=message):
            predict_masks(sam, features, **prompt)
