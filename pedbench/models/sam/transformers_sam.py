"""SAM in transformers' format: conversion of tensor names to official ones, and of settings to an architecture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pedbench.errors import CheckpointError
from pedbench.models.hub.folders import model_folder, read_json
from pedbench.models.sam.architectures import Architecture

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
"""File of the tensors in a folder."""

_KIND = "SAM of transformers"
_MARK = "vision_encoder.patch_embed.projection.weight"

# The inverse of transformers' convert_sam_to_hf.py.
_RENAMED = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (
            r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",
            "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        ),
        (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
        (r"^vision_encoder\.", "image_encoder."),
        (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
        (r"\.neck\.conv1\.", ".neck.0."),
        (r"\.neck\.layer_norm1\.", ".neck.1."),
        (r"\.neck\.conv2\.", ".neck.2."),
        (r"\.neck\.layer_norm2\.", ".neck.3."),
        (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
        (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
        (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
        (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
        (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
        (r"\.point_embed\.", ".point_embeddings."),
        (r"\.upscale_conv1\.", ".output_upscaling.0."),
        (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
        (r"\.upscale_conv2\.", ".output_upscaling.3."),
        (r"(\.output_hypernetworks_mlps\.\d+|\.iou_prediction_head)\.layers\.0\.", r"\1.layers.1."),
        (r"(\.output_hypernetworks_mlps\.\d+|\.iou_prediction_head)\.proj_in\.", r"\1.layers.0."),
        (r"(\.output_hypernetworks_mlps\.\d+|\.iou_prediction_head)\.proj_out\.", r"\1.layers.2."),
        (r"\.layer_norm(\d|_final_attn)\.", r".norm\1."),
    )
)


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors of either format to the names of official checkpoints."""
    return {official_name(name) if _MARK in state else name: tensor for name, tensor in state.items()}


def official_name(name: str) -> str:
    """Return the official name of a tensor of transformers' `SamModel`."""
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    return name


def read_architecture(model: str) -> tuple[Architecture, Path]:
    """Read the sizes of a SAM in transformers' format, and return them with the file of its weights.

    Args:
        model: Result of `model_reference`.

    Raises:
        CheckpointError: The folder is missing or contains another network.
    """
    folder = model_folder(model, _KIND, "config.json")
    kind = read_json(folder / "config.json").get("model_type")
    if kind != "sam":
        raise CheckpointError(f"{folder}: found a model of type {kind!r}\nexpected a {_KIND} (type 'sam')")
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder}: found no {WEIGHTS}\nexpected the weights of a {_KIND} in one file")
    from transformers import SamConfig

    config: Any = SamConfig.from_pretrained(folder, local_files_only=True)
    vision, decoder = config.vision_config, config.mask_decoder_config
    activations = (vision.hidden_act, config.prompt_encoder_config.hidden_act, decoder.hidden_act)
    if activations != ("gelu", "gelu", "relu"):
        raise CheckpointError(f"{folder}: found activations {activations}\nexpected SAM's: gelu, gelu, relu")
    architecture = Architecture(
        name=folder.name,
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        embed_dim=vision.hidden_size,
        depth=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        global_blocks=tuple(vision.global_attn_indexes),
        window_size=vision.window_size,
        # Half a channel more, so that rounding down gives exactly this width.
        mlp_ratio=(vision.mlp_dim + 0.5) / vision.hidden_size,
        neck_channels=vision.output_channels,
        decoder_depth=decoder.num_hidden_layers,
        decoder_heads=decoder.num_attention_heads,
        decoder_mlp=decoder.mlp_dim,
    )
    return architecture, folder / WEIGHTS
