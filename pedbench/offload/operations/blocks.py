"""Operations on parts of an encoder with any block order: tokens go in and out between blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch

from pedbench.base import Field, Networks, Operation
from pedbench.models.sam.family import WEIGHTS
from pedbench.models.sam.stages import finish_blocks, window_grid, window_tiles
from pedbench.models.sam.window_blocks import add_positions, run_window_blocks
from pedbench.offload.operations.builtin import EncodeWindows
from pedbench.offload.operations.payload_fields import (
    FEATURES,
    FRAME,
    PLACES,
    REPLY_DTYPES,
    TOKENS,
    encoded,
    holding,
    places,
    same_bits,
    shown_tokens,
    token_places,
)
from pedbench.offload.operations.tiles import crop_tiles, tokens_to_tiles
from pedbench.pictures.frame import from_uint8
from pedbench.types import Patch, Payload, Tokens

BLOCKS = tuple(str(index) for index in range(33))
"""Block indices as string arguments. ViT-H has 32 blocks, and `last` is exclusive."""


class StartWindows(EncodeWindows):
    """Run the first window blocks, up to `last` (exclusive), on the pixels of some windows.

    The payload is that of `encode_windows`; the encoder may have any block order.
    """

    name = "start_windows"
    arguments: ClassVar = {**EncodeWindows.arguments, "last": BLOCKS}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        network = networks.network(arguments["weights"])
        encoder, grid = network.image_encoder, window_grid(network.image_encoder)
        windows, frame = places(payload, grid)
        crops = crop_tiles(payload["pixels"].copy(), windows, grid, frame)
        tokens = add_positions(encoder, encoder.patch_embed(window_tiles(network, crops)), windows, grid)
        done = run_window_blocks(encoder, tokens, windows, grid, 0, int(arguments["last"]))
        return {"tokens": encoded(done, arguments)}


class RunBlocks(Operation):
    """Run window blocks `first` to `last` (exclusive) on the tokens of some windows.

    `tokens` are the output of block `first` - 1, or the patch embedding with position embedding for `first` = 0. They
    are zero beyond the token grid. `positions` and `frame` are as in `encode_windows`. The result depends only on the
    size of a window's part of the grid, so `positions` may be those of other windows of that size.
    """

    name = "run_blocks"
    request: ClassVar = {"tokens": TOKENS, **PLACES}
    reply: ClassVar = {"tokens": TOKENS}
    arguments: ClassVar = {"weights": WEIGHTS, "reply": REPLY_DTYPES, "first": BLOCKS, "last": BLOCKS}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        encoder = networks.network(arguments["weights"]).image_encoder
        grid = window_grid(encoder)
        windows, _ = places(payload, grid)
        tokens = torch.tensor(payload["tokens"]).to(encoder.pos_embed)
        first, last = int(arguments["first"]), int(arguments["last"])
        return {"tokens": encoded(run_window_blocks(encoder, tokens, windows, grid, first, last), arguments)}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Tokens]:
        encoder = networks.network(arguments["weights"]).image_encoder
        grid = window_grid(encoder)
        windows, _ = places(payload, grid)
        tokens, positions = payload["tokens"], token_places(windows, grid)
        if tokens.shape[1:] != (grid.window, grid.window, encoder.pos_embed.shape[3]):
            raise ValueError(f"tokens of shape {tokens.shape} are not windows of the encoder")
        content = (positions < grid.tokens).all(axis=-1)
        if not same_bits(tokens[~content], np.zeros_like(tokens[~content])):
            raise ValueError("tokens carry something beyond the token grid")
        return shown_tokens(tokens, positions, content, int(arguments["first"]), server, request)


class FinishBlocks(Operation):
    """Run all blocks from `first` on, and the neck, on the tokens of the whole grid.

    `tokens` are the output of block `first` - 1, or the patch embedding with position embedding for `first` = 0.
    `frame` is the frame's height and width.
    """

    name = "finish_blocks"
    request: ClassVar = {
        "tokens": Field(dtypes=REPLY_DTYPES, shape=("height", "width", "channels")),
        "frame": FRAME,
    }
    reply: ClassVar = FEATURES
    arguments: ClassVar = {"weights": WEIGHTS, "reply": REPLY_DTYPES, "first": BLOCKS}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        encoder = networks.network(arguments["weights"]).image_encoder
        tokens = torch.tensor(payload["tokens"]).to(encoder.pos_embed)[None]
        return {"features": encoded(finish_blocks(encoder, tokens, int(arguments["first"])), arguments)}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Patch | Tokens]:
        network = networks.network(arguments["weights"])
        encoder, grid = network.image_encoder, window_grid(network.image_encoder)
        tokens, (height, width) = payload["tokens"], payload["frame"].tolist()
        # Raises ValueError if the frame exceeds the canvas.
        grid.tile((0, 0), (height, width))
        if tokens.shape != encoder.pos_embed.shape[1:]:
            raise ValueError(f"tokens of shape {tokens.shape} are not the grid of the encoder")
        positions = np.stack(np.meshgrid(*map(np.arange, grid.tokens), indexing="ij"), axis=-1)
        content = np.ones(grid.tokens, np.bool_)
        if arguments["first"] == "0":
            content = holding(positions, grid, (height, width))
            blank = (encoder.patch_embed.proj.bias + encoder.pos_embed[0]).detach().cpu().numpy()
            if not same_bits(tokens[~content], blank.astype(tokens.dtype)[~content]):
                raise ValueError(f"tokens carry something beyond the frame of {(height, width)} pixels")
            bare = torch.tensor(tokens).double() - encoder.pos_embed[0].detach().cpu().double()
            canvas = tokens_to_tiles(network, bare[None])
            if canvas is not None:
                picture = from_uint8(canvas[0, :height, :width])
                return [Patch(picture=picture, top=0, left=0, server=server, request=request)]
        return shown_tokens(tokens, positions, content, int(arguments["first"]), server, request)
