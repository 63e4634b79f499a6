"""Sizes of the Segment Anything networks."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal, get_args

from pedbench.pictures.windows import WindowGrid

Variant = Literal["original", "reordered", "windowed", "dropped"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""Block orders that need no training."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes of one Segment Anything network.

    Attributes:
        name: Name of the network.
        image_size: Side of the square canvas in pixels.
        patch_size: Side of a patch in pixels; a patch becomes one token.
        embed_dim: Channels of the encoder's tokens.
        depth: Number of encoder blocks.
        heads: Attention heads of each encoder block.
        global_blocks: Indices of the blocks with global attention, ascending; all others attend within
            windows.
        window_size: Side of an attention window in tokens.
        mlp_ratio: Hidden width of an encoder block's MLP, relative to `embed_dim`.
        neck_channels: Channels of the image embedding, and of the mask decoder's tokens.
        decoder_depth: Layers of the mask decoder's two-way transformer.
        decoder_heads: Attention heads of those layers.
        decoder_mlp: Hidden width of their MLP.
    """

    name: str
    image_size: int = 1024
    patch_size: int = 16
    embed_dim: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    window_size: int = 14
    mlp_ratio: float = 4.0
    neck_channels: int = 256
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_mlp: int = 2048

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}"
            )
        if any(not 0 <= block < self.depth for block in self.global_blocks):
            raise ValueError(f"global_blocks {self.global_blocks} do not lie in 0..{self.depth - 1}")

    def reordered(self, name: str) -> Architecture:
        """Return the same network in PED order: its global blocks last."""
        first = self.depth - len(self.global_blocks)
        return replace(self, name=name, global_blocks=tuple(range(first, self.depth)))

    @property
    def tokens(self) -> tuple[int, int]:
        """Height and width of the token grid."""
        side = self.image_size // self.patch_size
        return side, side

    @property
    def grid(self) -> WindowGrid:
        """Window grid of the encoder's window blocks."""
        return WindowGrid(tokens=self.tokens, window=self.window_size, patch=self.patch_size)


# segment_anything/build_sam.py
VIT_B = Architecture(name="vit_b", embed_dim=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11))
VIT_L = Architecture(name="vit_l", embed_dim=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23))
VIT_H = Architecture(name="vit_h", embed_dim=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))

# SlimSAM-77 (Chen et al., arXiv:2312.05284): ViT-B, pruned and distilled.
SLIM_SAM = Architecture(
    name="slimsam", embed_dim=168, depth=12, heads=12, global_blocks=(2, 5, 8, 11), mlp_ratio=696 / 168
)

SAM_MINI = Architecture(
    name="sam-mini",
    image_size=320,
    embed_dim=192,
    depth=8,
    heads=6,
    global_blocks=(3, 7),
    window_size=4,
    neck_channels=128,
    decoder_heads=4,
    decoder_mlp=512,
)
PED_MINI = SAM_MINI.reordered("ped-mini")
SAM_TINY = Architecture(
    name="sam-tiny",
    image_size=320,
    embed_dim=64,
    depth=4,
    heads=2,
    global_blocks=(3,),
    window_size=4,
    neck_channels=64,
    decoder_heads=2,
    decoder_mlp=256,
)
# 64 tokens per side are no multiple of 14: the smallest network whose border windows are padded as in real SAM.
SMALL = Architecture(
    name="small",
    image_size=256,
    patch_size=4,
    embed_dim=32,
    depth=3,
    heads=2,
    global_blocks=(1,),
    neck_channels=32,
    decoder_heads=2,
    decoder_mlp=64,
)

ARCHITECTURES = {
    item.name: item for item in (VIT_B, VIT_L, VIT_H, SLIM_SAM, SAM_MINI, PED_MINI, SAM_TINY, SMALL)
}


def architecture(name: str) -> Architecture:
    """Look up an architecture.

    Raises:
        ValueError: Unknown name; the message suggests the nearest.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown architecture {name!r}{hint} Known: {', '.join(ARCHITECTURES)}")
