"""SAM ViT-B in three programs (segment_anything, transformers and pedbench), for comparing their masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import SamPredictor
from torch import Tensor

from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.decoder import predict_masks, upscale
from pedbench.models.sam.transformers_sam import official_name
from pedbench.pictures.frame import scale_boxes, scale_points, to_frame, to_uint8
from pedbench.types import Picture


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Points, a box or both, in pixels of the picture.

    Attributes:
        points: (K, 2) as x, y, or None.
        labels: (K,) of the points, or None.
        box: (4,) left, top, right, bottom, or None.
    """

    points: np.ndarray[Any, Any] | None = None
    labels: np.ndarray[Any, Any] | None = None
    box: np.ndarray[Any, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Logits (3, H, W) of the masks at the picture's resolution, and their predicted IoU (3,)."""

    logits: np.ndarray[Any, Any]
    ious: np.ndarray[Any, Any]


Program = Callable[[Picture, Sequence[Prompt]], list[Predicted]]


def make_prompts(picture: Picture) -> list[Prompt]:
    """Make four prompts: a point, three points of which one is outside, a box, and both together."""
    scale = np.array([picture.shape[1], picture.shape[0]], np.float64)
    one, three = np.array([[0.4, 0.6]]) * scale, np.array([[0.3, 0.3], [0.6, 0.5], [0.9, 0.1]]) * scale
    box = np.concatenate([np.array([0.2, 0.25]) * scale, np.array([0.7, 0.8]) * scale])
    inside, outside = np.ones(1, np.int64), np.array([1, 1, 0])
    return [
        Prompt(points=one, labels=inside),
        Prompt(points=three, labels=outside),
        Prompt(box=box),
        Prompt(points=three, labels=outside, box=box),
    ]


def by_segment_anything(sam: Any) -> Program:
    """Predict with segment_anything's own predictor."""
    predictor = SamPredictor(sam)

    def predict(picture: Picture, prompts: Sequence[Prompt]) -> list[Predicted]:
        predictor.set_image(to_uint8(picture))
        found = [
            predictor.predict(
                point_coords=each.points, point_labels=each.labels, box=each.box, return_logits=True
            )
            for each in prompts
        ]
        return [Predicted(logits=logits, ious=ious) for logits, ious, _ in found]

    return predict


def by_pedbench(sam: Any) -> Program:
    """Predict with pedbench's encoder and decoder, on the network's device and in its encoder's precision."""

    def predict(picture: Picture, prompts: Sequence[Prompt]) -> list[Predicted]:
        frame, size = to_frame(picture, sam.image_encoder.img_size), picture.shape[:2]
        features = sam.image_encoder(preprocess(sam, frame)).float()
        found = [predict_masks(sam, features, **_scaled(each, size, frame.shape[:2])) for each in prompts]
        return [_full_size(sam, logits, ious, frame.shape[:2], size) for logits, ious in found]

    return predict


def by_transformers(model: Any, sam: Any, features: dict[int, Tensor] | None = None) -> Program:
    """Predict with transformers' `SamModel`, on the pixels that a SAM of the same size gets.

    Args:
        features: Image embeddings by the `id` of their picture, shared with another model of the same encoder.
    """
    known = {} if features is None else features

    def predict(picture: Picture, prompts: Sequence[Prompt]) -> list[Predicted]:
        frame, size = to_frame(picture, sam.image_encoder.img_size), picture.shape[:2]
        if id(picture) not in known:
            known[id(picture)] = model.get_image_embeddings(preprocess(sam, frame))
        found = []
        for each in prompts:
            # A batch of one picture with one prompt.
            inputs = {
                f"input_{name}": tensor[None] for name, tensor in _scaled(each, size, frame.shape[:2]).items()
            }
            out = model(image_embeddings=known[id(picture)], multimask_output=True, **inputs)
            found.append(_full_size(sam, out.pred_masks[0], out.iou_scores[0], frame.shape[:2], size))
        return found

    return predict


def _scaled(prompt: Prompt, size: tuple[int, ...], frame: tuple[int, ...]) -> dict[str, Any]:
    original, seen = (size[0], size[1]), (frame[0], frame[1])
    found = {}
    if prompt.points is not None and prompt.labels is not None:
        found["points"] = torch.from_numpy(scale_points(prompt.points[None], original, seen)).float()
        found["labels"] = torch.from_numpy(prompt.labels)[None]
    if prompt.box is not None:
        found["boxes"] = torch.from_numpy(scale_boxes(prompt.box[None], original, seen)).float()
    return found


def _full_size(
    sam: Any, logits: Tensor, ious: Tensor, frame: tuple[int, ...], size: tuple[int, ...]
) -> Predicted:
    large = upscale(sam, logits, (frame[0], frame[1]), (size[0], size[1]))
    return Predicted(logits=large[0].cpu().numpy(), ious=ious[0].cpu().numpy())


def save_for_transformers(
    state: Mapping[str, Tensor], sizes: Architecture, folder: Path, *, decoder_epsilon: float = 1e-6
) -> None:
    """Write weights in the official format as a folder of transformers' `SamModel`.

    Args:
        decoder_epsilon: Epsilon of the layer norms in the mask decoder's blocks. transformers has 1e-6; SAM was trained
            with torch's 1e-5.
    """
    from transformers import SamConfig, SamModel

    canvas = {"image_size": sizes.image_size, "patch_size": sizes.patch_size}
    config = SamConfig(
        vision_config={
            **canvas,
            "hidden_size": sizes.embed_dim,
            "output_channels": sizes.neck_channels,
            "num_hidden_layers": sizes.depth,
            "num_attention_heads": sizes.heads,
            "global_attn_indexes": list(sizes.global_blocks),
            "window_size": sizes.window_size,
            "mlp_dim": int(sizes.embed_dim * sizes.mlp_ratio),
            "num_pos_feats": sizes.neck_channels // 2,
        },
        prompt_encoder_config={**canvas, "hidden_size": sizes.neck_channels},
        mask_decoder_config={
            "hidden_size": sizes.neck_channels,
            "iou_head_hidden_dim": sizes.neck_channels,
            "mlp_dim": sizes.decoder_mlp,
            "num_hidden_layers": sizes.decoder_depth,
            "num_attention_heads": sizes.decoder_heads,
            "layer_norm_eps": decoder_epsilon,
        },
    )
    model: Any = SamModel(config)
    model.load_state_dict({name: state[official_name(name)] for name in model.state_dict()})
    model.save_pretrained(folder)


def load_with_transformers(folder: Path) -> Any:
    """Load the model of a folder, in evaluation mode."""
    from transformers import SamModel

    return SamModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)
