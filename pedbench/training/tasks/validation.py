"""One-click mIoU on packed scenes, a quick validation at the scenes' resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pedbench.training.data.degrading import Degrade
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.prompting import Prompts, decode_masks

MEDIUM, LARGE = 32**2, 96**2


def one_click_scores(
    network: Any, scenes: PackedScenes, batch: int = 4, degrade: Degrade | None = None
) -> dict[str, float]:
    """Compute the mean IoU of the mask with the best predicted IoU for a click at each object's centre, by COCO size.

    Args:
        network: A `segment_anything.modeling.Sam` in evaluation mode.
        scenes: Validation scenes.
        batch: Scenes embedded at a time.
        degrade: Degradation of the pictures; None to leave them sharp.

    Returns:
        Means under S, M, L, ML and all; a class without objects is absent.
    """
    values: list[tuple[int, float]] = []
    canvas = scenes.images.shape[1]
    device = network.pixel_mean.device
    for first in range(0, len(scenes), batch):
        chosen = range(first, min(first + batch, len(scenes)))
        pixels_in = scenes.images[chosen.start : chosen.stop].astype(np.float32)
        if degrade is not None:
            for place, index in enumerate(chosen):
                height, width = scenes.sizes[index]
                part = pixels_in[place, :height, :width]
                part[...] = degrade(part / np.float32(255), np.random.default_rng(index)) * 255
        images = torch.from_numpy(pixels_in).to(device)
        inside = torch.zeros(len(chosen), 1, canvas, canvas, device=device)
        for place, index in enumerate(chosen):
            inside[place, :, : scenes.sizes[index, 0], : scenes.sizes[index, 1]] = 1
        pixels = (images.permute(0, 3, 1, 2).float() - network.pixel_mean) / network.pixel_std * inside
        with torch.inference_mode():
            features = network.image_encoder(pixels)
            for place, index in enumerate(chosen):
                count = int(scenes.counts[index])
                if count == 0:
                    continue
                points = torch.zeros(count, 2, 2)
                points[:, 0] = torch.from_numpy(scenes.centres[index, :count])
                prompts = Prompts(
                    points=points.to(device), labels=torch.tensor([1, -1], device=device).expand(count, 2)
                )
                logits, predicted = decode_masks(network, features[place : place + 1], prompts)
                best = logits[torch.arange(count), predicted.argmax(1)]
                full = functional.interpolate(best[:, None], (canvas, canvas), mode="bilinear")[:, 0]
                guess = (full > 0).cpu().numpy() & (inside[place, 0] > 0).cpu().numpy()
                labels = scenes.labels[index]
                for instance in range(count):
                    truth = labels == instance + 1
                    union = (guess[instance] | truth).sum()
                    iou = float((guess[instance] & truth).sum() / union) if union else 0.0
                    values.append((int(truth.sum()), iou))
    areas, ious = np.array(values).T
    classes = {
        "S": areas < MEDIUM,
        "M": (areas >= MEDIUM) & (areas < LARGE),
        "L": areas >= LARGE,
        "ML": areas >= MEDIUM,
        "all": areas >= 0,
    }
    return {name: float(ious[member].mean()) for name, member in classes.items() if member.any()}
