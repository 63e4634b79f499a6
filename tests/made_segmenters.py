"""Promptable segmenters of transformers, random and as small as they can be, with their processors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SIDE = 128
"""Side of the networks' input in pixels."""

SHIFTED = {"image_mean": [0.3, 0.5, 0.6], "image_std": [0.4, 0.3, 0.2]}
"""Normalisation that is no processor's default."""

PROMPTS = {"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 8}
DECODER = {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
VIT = {
    "hidden_size": 32,
    "output_channels": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "window_size": 3,
    "global_attn_indexes": [1],
    "num_pos_feats": 16,
    "mlp_dim": 32,
}
LEVELS = {"backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]], "fpn_hidden_size": 32}
HIERA = {
    "model_type": "sam2_hiera_det_model",
    "hidden_size": 8,
    "image_size": [SIDE, SIDE],
    "blocks_per_stage": [1, 1, 2, 1],
    "embed_dim_per_stage": [8, 16, 32, 64],
    "num_attention_heads_per_stage": [1, 1, 2, 2],
    "window_size_per_stage": [8, 4, 4, 2],
    "global_attention_blocks": [3],
}
REPVIT = {
    "model_type": "timm_wrapper",
    "architecture": "repvit_m1",
    "num_classes": 1,
    "label_names": ["thing"],
    "model_args": {
        "in_chans": 3,
        "features_only": True,
        "out_indices": [0, 1, 2, 3],
        "embed_dim": [8, 16, 32, 64],
        "depth": [1, 1, 1, 1],
    },
}


def make_segmenter(folder: Path, kind: str, dtype: torch.dtype = torch.float32) -> Path:
    """A segmenter of a type of transformers, such as "sam2"."""
    import transformers

    torch.manual_seed(0)
    parts: dict[str, Any] = {"prompt_encoder_config": PROMPTS, "mask_decoder_config": DECODER}
    image_processor: Any
    if kind in ("sam", "sam_hq"):
        name = {"sam": "Sam", "sam_hq": "SamHQ"}[kind]
        parts["vision_config"] = VIT
        if kind == "sam_hq":
            parts["mask_decoder_config"] = DECODER | {"vit_dim": VIT["hidden_size"]}
        image_processor = transformers.SamImageProcessor(
            size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, **SHIFTED
        )
        processor = getattr(transformers, f"{name}Processor")(image_processor)
    else:
        name = {"sam2": "Sam2", "edgetam": "EdgeTam"}[kind]
        backbone = {"sam2": HIERA, "edgetam": REPVIT}[kind]
        channels = [64, 32, 16, 8]
        parts["vision_config"] = {"backbone_config": backbone, "backbone_channel_list": channels, **LEVELS}
        image_processor = transformers.Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}, **SHIFTED)
        processor = transformers.Sam2Processor(image_processor)
    network = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**parts))
    for values in network.parameters():
        if values.ndim > 1:
            torch.nn.init.normal_(values, std=0.2)
    network.to(dtype).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
