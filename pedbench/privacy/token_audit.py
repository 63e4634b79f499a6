"""Whether received tokens are those of the frame: the encoder is run again on the trusted side."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pedbench.base import Networks
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.stages import run_blocks, window_grid
from pedbench.offload.operations.blocks import FinishBlocks, RunBlocks
from pedbench.offload.operations.builtin import EncodeWindowTokens
from pedbench.offload.operations.payload_fields import places
from pedbench.offload.operations.tiles import Bytes, embed_windows, to_dtype
from pedbench.types import Payload, Received

# By how much tokens may be off, relative to the larger of their size and the root mean square of all.
# Tokens that are made as here differ as threads may change the order of sums, and then at most by one step of
# their own when they are written. Where rounds came before, every one of them rounded; those tokens follow from
# the pixels of the first round.
_MADE_AT_ONCE = 1e-5
_STEP = {"float16": 2.0**-10, "float32": 0.0}
_AFTER_ROUNDS = {"float16": 5e-2, "float32": 1e-3}

TOKEN_OPERATIONS = (EncodeWindowTokens.name, RunBlocks.name, FinishBlocks.name)
"""Operations whose tokens can be compared with the frame's."""


@dataclass(kw_only=True)
class TokenAudit:
    """Compares the tokens of one pass with those of the frame.

    Attributes:
        truth: (H, W, 3), the frame.
        networks: The public models.
        streamed: Server and sequence of the messages whose tokens the harness made itself.
    """

    truth: Bytes
    networks: Networks
    streamed: Collection[tuple[int, int]]
    _grids: dict[tuple[str, int], torch.Tensor] = field(default_factory=dict)

    def differences(self, message: Received, payload: Payload) -> Iterator[str]:
        """What is wrong with a message that brought tokens.

        Its low bits could say anything, so the harness must have made them itself; and they must be those of the
        frame, of whose size the message has to be.
        """
        if message.operation not in TOKEN_OPERATIONS or (
            (message.server, message.sequence) not in self.streamed
        ):
            yield (
                f"received tokens by {message.operation} that the harness did not make: "
                "their low bits may say anything"
            )
        if message.operation not in TOKEN_OPERATIONS:
            return
        found = payload["tokens"].astype(np.float64)
        expected = to_dtype(self._expected(message, payload), payload["tokens"].dtype.name)
        dtype, size = payload["tokens"].dtype.name, np.abs(expected, dtype=np.float64)
        error, scale = np.abs(found - expected), np.sqrt(np.square(size).mean())
        share = _AFTER_ROUNDS[dtype] if message.operation == RunBlocks.name else _MADE_AT_ONCE
        if not (error <= share * np.maximum(scale, size) + _STEP[dtype] * size).all():
            yield f"received tokens that are not the frame's: off by up to {error.max():.2g}"

    def _expected(self, message: Received, payload: Payload) -> npt.NDArray[Any]:
        network = self.networks.network(message.arguments["weights"])
        grid = window_grid(network.image_encoder)
        if message.operation == EncodeWindowTokens.name:
            tokens = embed_windows(network, self.truth)
            return np.stack([tokens[window] for window in places(payload, grid)[0]])
        encoded = self._grid(message.arguments["weights"], int(message.arguments["first"]))
        if message.operation == FinishBlocks.name:
            return encoded[0].float().cpu().numpy()
        chosen = [grid.windows.index(window) for window in places(payload, grid)[0]]
        return grid.partition(encoded)[chosen].float().cpu().numpy()

    def _grid(self, weights: str, depth: int) -> torch.Tensor:
        """(1, h, w, C) tokens of the whole frame behind so many blocks, position embedding included."""
        if (weights, depth) not in self._grids:
            network = self.networks.network(weights)
            encoder = network.image_encoder
            with torch.inference_mode():
                # What is there already is gone on with.
                start = max((d for w, d in self._grids if w == weights and d < depth), default=0)
                tokens = self._grids.get((weights, start))
                if tokens is None:
                    tokens = encoder.patch_embed(preprocess(network, self.truth)) + encoder.pos_embed
                self._grids[weights, depth] = run_blocks(encoder, tokens, start, depth)
        return self._grids[weights, depth]
