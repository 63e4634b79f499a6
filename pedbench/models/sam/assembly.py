"""Assembly of Segment Anything networks from the modules of `segment_anything`."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.blocks import accelerate_blocks
from pedbench.models.unallocated import unallocated

# ImageNet statistics on the 0..255 scale, as in segment_anything/build_sam.py.
PIXEL_MEAN = [123.675, 116.28, 103.53]
PIXEL_STD = [58.395, 57.12, 57.375]


def _modeling() -> ModuleType:
    """Import `segment_anything.modeling` alone: the package itself also imports torchvision, which is large and slow.

    Raises:
        ModuleNotFoundError: segment-anything is not installed.
    """
    package = importlib.util.find_spec("segment_anything")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("segment_anything", name="segment_anything")
    name, file = f"{__name__}.segment_anything", Path(package.origin).with_name("modeling") / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_sam = _modeling()


def build_sam(architecture: Architecture, *, fast: bool = True, allocate: bool = True) -> Any:
    """Assemble a SAM, in evaluation mode, with `segment_anything`'s own initialisation.

    Args:
        architecture: Sizes of the network.
        fast: Whether the encoder uses `FastBlock` instead of `segment_anything`'s blocks.
        allocate: Whether the parameters get memory. If not, they stay on the meta device until weights are
            assigned, which saves the initialisation.
    """
    channels = architecture.neck_channels
    with nullcontext() if allocate else unallocated():
        sam = _sam.Sam(
            image_encoder=_sam.ImageEncoderViT(
                img_size=architecture.image_size,
                patch_size=architecture.patch_size,
                embed_dim=architecture.embed_dim,
                depth=architecture.depth,
                num_heads=architecture.heads,
                mlp_ratio=architecture.mlp_ratio,
                out_chans=channels,
                qkv_bias=True,
                norm_layer=partial(nn.LayerNorm, eps=1e-6),
                use_rel_pos=True,
                window_size=architecture.window_size,
                global_attn_indexes=architecture.global_blocks,
            ),
            prompt_encoder=_prompt_encoder(architecture, allocate),
            mask_decoder=_sam.MaskDecoder(
                num_multimask_outputs=3,
                transformer=_sam.TwoWayTransformer(
                    depth=architecture.decoder_depth,
                    embedding_dim=channels,
                    mlp_dim=architecture.decoder_mlp,
                    num_heads=architecture.decoder_heads,
                ),
                transformer_dim=channels,
                iou_head_depth=3,
                iou_head_hidden_dim=channels,
            ),
            pixel_mean=[0.0] * 3,
            pixel_std=[1.0] * 3,
        )
    # No checkpoint contains these two, so they must not stay on the meta device.
    sam.pixel_mean = torch.tensor(PIXEL_MEAN).view(3, 1, 1)
    sam.pixel_std = torch.tensor(PIXEL_STD).view(3, 1, 1)
    if fast:
        accelerate_blocks(sam.image_encoder)
    return sam.eval()


def _prompt_encoder(architecture: Architecture, draw: bool) -> Any:
    """Assemble the small part whose `torch.randn` would import torch's compiler on the meta device.

    Args:
        draw: Whether the draws count, or leave torch's generator as it is.
    """
    with torch.device("cpu"), torch.random.fork_rng(devices=[], enabled=not draw):
        return _sam.PromptEncoder(
            embed_dim=architecture.neck_channels,
            image_embedding_size=architecture.tokens,
            input_image_size=(architecture.image_size, architecture.image_size),
            mask_in_chans=16,
        )


def randomise(sam: Any, seed: int) -> None:
    """Fill all weights with random values in place, including position tables (zero in SAM's initialisation).

    See `random_tensors`.
    """
    with torch.no_grad():
        state = sam.state_dict()
        for name, tensor in random_tensors(state, seed):
            state[name].copy_(tensor)


def random_tensors(state: Mapping[str, Tensor], seed: int) -> Iterator[tuple[str, Tensor]]:
    """Draw weights that keep activations of order one; identical to the last bit on every machine.

    Args:
        state: Tensors by name, possibly without memory; only names and shapes matter.
        seed: Seed of the values.

    Yields:
        Name and float32 values, in the order of the names.
    """
    rng = np.random.default_rng(seed)
    for name, tensor in sorted(state.items()):
        # Uniform with variance 1: other distributions need functions that machines round differently.
        noise = (rng.random(tensor.shape, np.float32) - np.float32(0.5)) * np.float32(math.sqrt(12))
        if "rel_pos" in name or name.endswith("pos_embed"):
            noise *= np.float32(0.2)
        elif tensor.ndim > 1 and not name.endswith("gaussian_matrix"):
            noise /= np.float32(math.sqrt(tensor[0].numel()))
        elif tensor.ndim == 1:
            noise = np.float32(0.1) * noise + np.float32(name.endswith("weight"))
        yield name, torch.from_numpy(np.asarray(noise))


def preprocess(sam: Any, frame: npt.NDArray[Any] | Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Normalise a frame or a tile, and pad it with zeros at the bottom and right as SAM does.

    Args:
        sam: The network, for its pixel statistics and canvas size.
        frame: (H, W, 3) RGB, uint8 in 0..255 or float in [0, 1].
        size: Height and width to pad to; by default the network's canvas.

    Returns:
        (1, 3, *size) on the network's device.

    Raises:
        ValueError: The shape differs, the frame is too large, or floats lie outside [0, 1].
    """
    height, width = size or (sam.image_encoder.img_size,) * 2
    pixels = torch.as_tensor(np.ascontiguousarray(frame) if isinstance(frame, np.ndarray) else frame)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.shape[0] > height or pixels.shape[1] > width:
        raise ValueError(
            f"expected (H, W, 3) pixels of at most {height}x{width}, found {tuple(pixels.shape)}"
        )
    pixels = pixels.to(sam.pixel_mean.device)
    if pixels.dtype == torch.uint8:
        pixels = pixels.float()
    elif not pixels.is_floating_point():
        raise ValueError(f"expected uint8 or floating-point pixels, found {pixels.dtype}")
    else:
        if pixels.numel() and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise ValueError(f"expected pixels in [0, 1], found {pixels.min():.3g} to {pixels.max():.3g}")
        pixels = pixels.float() * 255
    normalised = (pixels.permute(2, 0, 1) - sam.pixel_mean) / sam.pixel_std
    padding = (0, width - normalised.shape[2], 0, height - normalised.shape[1])
    return nn.functional.pad(normalised, padding)[None].to(sam.image_encoder.pos_embed.dtype)
