"""Split encoder: the first blocks run on the edge, the others on one server."""

from __future__ import annotations

import numpy as np
import torch

from pedbench.base import Cloud, Embedding
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.stages import run_blocks
from pedbench.offload.operations.tiles import to_dtype
from pedbench.offload.passes.calls import calls_of
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture


def encode_split(
    cloud: Cloud, frame: Picture, blocks: int, *, weights: str = "original", dtype: str = "float32"
) -> Embedding:
    """Run the patch embedding and the first blocks on the edge, and the rest of the encoder on the first server.

    Args:
        cloud: The servers.
        frame: (H, W, 3) float32 in [0, 1]; rounded to 8 bits.
        blocks: Number of blocks that run on the edge.
        weights: Name of the network.
        dtype: Dtype of tokens and features in messages, `float32` or `float16`.

    Raises:
        ValueError: The network has fewer blocks.
        DisclosureError: The server would get more of the frame than the defense may give; nothing was sent.
        ServerLost: The server does not answer.
    """
    calls = calls_of(cloud)
    network = calls.networks.network(weights)
    encoder = network.image_encoder
    with calls.clock.preparing():
        picture = to_uint8(frame)
        calls.give({0: picture[..., 0].size})
        pixels = preprocess(network, picture)
    tokens = run_blocks(encoder, encoder.patch_embed(pixels) + encoder.pos_embed, 0, blocks)[0]
    with calls.clock.preparing():
        payload = {
            "tokens": to_dtype(tokens.float().cpu().numpy(), dtype),
            "frame": np.array(frame.shape[:2], np.int32),
        }
    arguments = {"weights": weights, "reply": dtype, "first": str(blocks)}
    pending = calls.send({0: payload}, "finish_blocks", arguments)[0]
    calls.streamed.add((0, pending.sequence))
    features = torch.tensor(pending.result()["features"], device=network.device)
    return Embedding(features=features.float(), network=network)
