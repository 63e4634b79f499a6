"""Prompts, masks and losses for batches of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Prompts for B * P objects.

    Attributes:
        points: (B * P, K, 2) x, y in canvas pixels.
        labels: (B * P, K) 1 inside, 0 outside, -1 no point, 2 and 3 the corners of a box.
    """

    points: Tensor
    labels: Tensor

    def with_click(self, point: Tensor, label: Tensor) -> Prompts:
        """Return the prompts with one more click each: point (B * P, 2), label (B * P,)."""
        return Prompts(
            points=torch.cat([point[:, None], self.points], dim=1),
            labels=torch.cat([label[:, None], self.labels], dim=1),
        )


def decode_masks(
    network: Any, features: Tensor, prompts: Prompts, mask_input: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Decode masks for prompts of several pictures, with `segment_anything`'s modules.

    `MaskDecoder.predict_masks` repeats one picture's features for its prompts; this is the same computation for
    several pictures.

    Args:
        network: A `segment_anything.modeling.Sam`.
        features: (B, C, h, w) image embeddings.
        prompts: P prompts per picture, in the order of the pictures.
        mask_input: (B * P, 1, 4 h, 4 w) logits of the masks so far.

    Returns:
        Logits (B * P, 3, 4 h, 4 w) and predicted IoU (B * P, 3).
    """
    encoder, decoder = network.prompt_encoder, network.mask_decoder
    count = len(prompts.points)
    points = (prompts.points + 0.5) / network.image_encoder.img_size
    sparse = encoder.pe_layer._pe_encoding(points.float())
    labels = prompts.labels[..., None]
    sparse = torch.where(labels == -1, torch.zeros_like(sparse) + encoder.not_a_point_embed.weight, sparse)
    for value, embedding in enumerate(encoder.point_embeddings):
        sparse = torch.where(labels == value, sparse + embedding.weight, sparse)
    if mask_input is None:
        dense = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    else:
        dense = encoder.mask_downscaling(mask_input)
    output_tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([output_tokens.expand(count, -1, -1), sparse], dim=1)
    source = features.repeat_interleave(count // len(features), dim=0) + dense
    position = encoder.get_dense_pe().expand(count, -1, -1, -1)
    _, channels, height, width = source.shape
    hidden, source = decoder.transformer(source, position, tokens)
    upscaled = decoder.output_upscaling(source.transpose(1, 2).reshape(count, channels, height, width))
    masks_out = hidden[:, 1 : 1 + decoder.num_mask_tokens]
    # Token 0 is for unambiguous prompts; only the three multimask tokens are used and trained.
    weights = torch.stack(
        [decoder.output_hypernetworks_mlps[i](masks_out[:, i]) for i in range(1, decoder.num_mask_tokens)],
        dim=1,
    )
    logits = (weights @ upscaled.flatten(2)).unflatten(2, upscaled.shape[2:])
    return logits, decoder.iou_prediction_head(hidden[:, 0])[:, 1:]


def mask_loss(logits: Tensor, predicted: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the loss of the best of three masks, and of their predicted IoU.

    Cross-entropy is normalised by the object's size, so that small objects weigh as much as large ones. The
    targets are coverages, so that upscaled logits cross zero at the true border.

    Args:
        logits: (n, 3, h, w).
        predicted: (n, 3) predicted IoU.
        target: (n, h, w) share of each cell that the object covers, in [0, 1].
        valid: (n,) 1 where there is an object, else 0.

    Returns:
        Scalar loss, and the (n,) IoU of the mask with the highest predicted IoU.
    """
    logits, predicted = logits.float(), predicted.float()
    goal = target[:, None].expand_as(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, goal, reduction="none").sum((2, 3))
    entropy = entropy / (2 * target.sum((1, 2)) + 16)[:, None]
    probability = logits.sigmoid()
    overlap = (probability * goal).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (probability.sum((2, 3)) + goal.sum((2, 3)) + 1)
    with torch.no_grad():
        hard, truth = logits > 0, goal > 0.5
        iou = (hard & truth).sum((2, 3)) / (hard | truth).sum((2, 3)).clamp(min=1)
    total = entropy + dice
    best, _ = total.min(dim=1)
    # A small weight of the mean keeps all three masks in training.
    each = (
        0.9 * best + 0.1 * total.mean(dim=1) + functional.mse_loss(predicted, iou, reduction="none").mean(1)
    )
    chosen = iou.gather(1, predicted.argmax(dim=1, keepdim=True))[:, 0]
    return (each * valid).sum() / valid.sum().clamp(min=1), chosen


def error_click(
    logits: Tensor, predicted: Tensor, target: Tensor, canvas: int, draw: Tensor
) -> tuple[Tensor, ...]:
    """Return the next click, at a random pixel where the best mask so far is wrong.

    Args:
        logits: (n, 3, h, w) of the round before.
        predicted: (n, 3).
        target: (n, h, w).
        canvas: Side of the canvas in pixels.
        draw: (n, h * w) uniform random numbers.

    Returns:
        Points (n, 2) in canvas pixels, labels (n,), and the chosen logits (n, 1, h, w), the next mask input.
    """
    place = predicted.argmax(dim=1)
    chosen = logits[torch.arange(len(logits), device=logits.device), place].float()
    truth = target > 0.5
    wrong = ((chosen > 0) != truth).flatten(1)
    score = torch.where(wrong, draw + 1, torch.where(truth.flatten(1), draw, draw - 1))
    index = score.argmax(dim=1)
    side = logits.shape[-1]
    step = canvas / side
    point = torch.stack([index % side, index // side], dim=1) * step + (step - 1) / 2
    label = truth.flatten(1).gather(1, index[:, None])[:, 0].long()
    return point, label, chosen[:, None]
