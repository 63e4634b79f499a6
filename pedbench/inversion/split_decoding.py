"""Decoding of split inference: the picture that a trained network guesses from all tokens behind some blocks.

Source of the corrections: Irani and Peleg, Improving Resolution by Image Registration, CVGIP 1991 (iterative
    back-projection: a guess is degraded again, and its error is projected back); here the encoder degrades and the
    decoder projects back.
"""

from __future__ import annotations

from typing import Any

import torch

from pedbench.inversion.token_decoding import received_tokens
from pedbench.inversion.token_optimisation import token_grids
from pedbench.models.attackers.split_decoding import DEPTHS, SplitDecoderNetwork
from pedbench.types import Picture, View

RATE = 0.005
"""Initial learning rate of the descent from a decoded picture, a tenth of that from a linear estimate."""

SMOOTH = 0.05
"""Initial weight of the total variation there, which is also the final one: the picture is detailed already."""


def decode_split(
    decoder: SplitDecoderNetwork, network: Any, view: View, corrections: int = 0
) -> Picture | None:
    """Decode the shallowest whole grid of tokens of a view that a decoder knows.

    Args:
        decoder: The decoder, in evaluation mode.
        network: The `segment_anything.modeling.Sam` that made the tokens.
        view: View whose description names that network.
        corrections: Times that the picture is corrected. What the decoder makes of the received tokens and what it
            makes of the picture's own tokens should be equal; their difference is added to the picture.

    Returns:
        (H, W, 3) in [0, 1]; None if no depth of `DEPTHS` has all tokens.
    """
    height, width = view.frame_size
    for depth in DEPTHS:
        if all(tokens.depth != depth for tokens in view.tokens):
            continue
        values, known = received_tokens(view, depth)
        if not known.all():
            continue
        with torch.inference_mode():
            decoded = decoder(torch.from_numpy(values)[None], depth)[0, :, :height, :width]
            guess = decoded.clamp(0, 1)
            for _ in range(corrections):
                tokens = token_grids(network, guess.to(network.pixel_mean.device), {depth})[depth]
                repeated = decoder(tokens.cpu()[None], depth)[0, :, :height, :width]
                guess = (guess + decoded - repeated).clamp(0, 1)
        picture: Picture = guess.permute(1, 2, 0).numpy().copy()
        return picture
    return None
