"""Dense loss for RT-DETR's encoder: every cell near an object's centre predicts it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_convert, generalized_box_iou_loss

_STRIDES = (8, 16, 32)

_ANCHOR = 0.05
"""Side of the finest level's anchors relative to the canvas; doubles from level to level, as in RT-DETR."""


def assigned(categories: Tensor, boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return the target of each feature-map cell: the smallest object of its level's scale around the cell.

    Args:
        categories: (n,) categories of the objects.
        boxes: (n, 4) centre and size, relative to the canvas.
        side: Side of the network's input in pixels.

    Returns:
        (L,) categories, -1 for none, and (L, 4) boxes, level by level and row by row.
    """
    extent = boxes[:, 2:].prod(1).sqrt()
    # One level finer than that of the nearest anchor size, where objects would cover a single cell.
    level = (extent / _ANCHOR).clamp(min=1e-6).log2().floor().clamp(0, len(_STRIDES) - 1)
    kinds, places = [], []
    for number, stride in enumerate(_STRIDES):
        count = side // stride
        middle = (torch.arange(count) + 0.5) / count
        grid = torch.stack(torch.meshgrid(middle, middle, indexing="ij")[::-1], dim=-1).reshape(-1, 1, 2)
        # The middle part of the box, at least the cell around its centre.
        reach = (0.3 * boxes[:, 2:]).clamp(min=0.5 / count)
        central = ((grid - boxes[:, :2]).abs() <= reach).all(-1) & (level == number)
        size = torch.where(central, extent, torch.inf)
        nearest = torch.cat([size, torch.full((len(grid), 1), 1e6)], dim=1).argmin(1)
        kinds.append(torch.cat([categories, torch.tensor([-1])])[nearest])
        places.append(torch.cat([boxes, torch.zeros(1, 4)])[nearest])
    return torch.cat(kinds), torch.cat(places)


def dense_loss(logits: Tensor, boxes: Tensor, category: Tensor, truth: Tensor) -> Tensor:
    """Compute the varifocal loss (arXiv 2008.13367) of categories plus absolute and generalised IoU loss of boxes.

    Args:
        logits: (B, L, categories).
        boxes: (B, L, 4) centre and size, relative to the canvas.
        category: (B, L), -1 for none.
        truth: (B, L, 4).
    """
    some = category >= 0
    found, true = (box_convert(part[some], "cxcywh", "xyxy") for part in (boxes, truth))
    apart = generalized_box_iou_loss(found, true)
    quality = torch.zeros_like(logits)
    chosen = functional.one_hot(category.clamp(min=0), logits.shape[2]).bool() & some[..., None]
    quality[chosen] = (1 - apart.detach()).clamp(0.05, 1)
    weight = torch.where(chosen, quality, 0.75 * logits.detach().sigmoid() ** 2)
    entropy = functional.binary_cross_entropy_with_logits(logits, quality, weight, reduction="sum")
    distance = 5 * (boxes[some] - truth[some]).abs().sum() + 2 * apart.sum()
    loss: Tensor = (entropy + distance) / some.sum().clamp(min=1)
    return loss
