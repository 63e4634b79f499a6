"""A loss for RT-DETR's encoder that has every place near an object's centre find it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_convert, generalized_box_iou_loss

_STRIDES = (8, 16, 32)

_ANCHOR = 0.05
"""Side of the finest level's anchors relative to the canvas, doubled from level to level, as RT-DETR has it."""


def assigned(categories: Tensor, boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """What each place of the encoder's levels is to find: of objects of its level's size, the one it is amid.

    Args:
        categories: (n,) of the objects.
        boxes: (n, 4) centre and size, relative to the canvas.
        side: Of the square that the network sees, in pixels.

    Returns:
        (L,) categories, -1 for none, and (L, 4) boxes, level by level and row by row.
    """
    extent = boxes[:, 2:].prod(1).sqrt()
    # At the level whose anchors come nearest in size, objects would lie amid a single place: here one level finer.
    level = (extent / _ANCHOR).clamp(min=1e-6).log2().floor().clamp(0, len(_STRIDES) - 1)
    kinds, places = [], []
    for number, stride in enumerate(_STRIDES):
        count = side // stride
        middle = (torch.arange(count) + 0.5) / count
        grid = torch.stack(torch.meshgrid(middle, middle, indexing="ij")[::-1], dim=-1).reshape(-1, 1, 2)
        # The middle of the box, and never less than the cell around its centre.
        reach = (0.3 * boxes[:, 2:]).clamp(min=0.5 / count)
        amid = ((grid - boxes[:, :2]).abs() <= reach).all(-1) & (level == number)
        size = torch.where(amid, extent, torch.inf)
        nearest = torch.cat([size, torch.full((len(grid), 1), 1e6)], dim=1).argmin(1)
        kinds.append(torch.cat([categories, torch.tensor([-1])])[nearest])
        places.append(torch.cat([boxes, torch.zeros(1, 4)])[nearest])
    return torch.cat(kinds), torch.cat(places)


def dense_loss(logits: Tensor, boxes: Tensor, category: Tensor, truth: Tensor) -> Tensor:
    """Varifocal loss (arXiv 2008.13367) of the categories; absolute and generalised-overlap loss of the boxes.

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
