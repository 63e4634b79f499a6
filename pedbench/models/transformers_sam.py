"""What transformers' `SamModel` calls the tensors of a SAM."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

_RENAMED = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.blocks\.", ".layers."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.norm", ".layer_norm"),
    (
        r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
        "shared_image_embedding.positional_embedding",
    ),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    # The decoder's small networks of three layers.
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.0\.", r"\1.proj_in."),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.1\.", r"\1.layers.0."),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.2\.", r"\1.proj_out."),
)


def is_of_transformers(state: Mapping[str, Tensor]) -> bool:
    """Whether tensors have transformers' names."""
    return any(name.startswith("vision_encoder.") for name in state)


def from_transformers(state: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """The tensors of official names, as far as they are there.

    Args:
        state: Of transformers' `SamModel`.
        names: Official ones.
    """
    return {name: state[theirs] for name in names if (theirs := their_name(name)) in state}


def their_name(name: str) -> str:
    """What transformers calls a tensor of an official name."""
    for official, renamed in _RENAMED:
        name = re.sub(official, renamed, name)
    return name
