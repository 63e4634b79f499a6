"""Decoding of split inference: the picture that a trained network guesses from all tokens behind some blocks."""

from __future__ import annotations

import torch

from pedbench.inversion.token_decoding import received_tokens
from pedbench.models.attackers.split_decoding import DEPTHS, SplitDecoderNetwork
from pedbench.types import Picture, View

RATE = 0.05
"""Initial learning rate of the descent from a decoded picture."""

SMOOTH = 0.5
"""Initial weight of the total variation there; a decoded picture needs less smoothing than a linear estimate."""


def decode_split(network: SplitDecoderNetwork, view: View) -> Picture | None:
    """Decode the shallowest whole grid of tokens of a view that a decoder knows.

    Args:
        network: The decoder, in evaluation mode.
        view: View whose description names the encoder.

    Returns:
        (H, W, 3) in [0, 1]; None if no depth of `DEPTHS` has all tokens.
    """
    height, width = view.frame_size
    for depth in DEPTHS:
        if all(tokens.depth != depth for tokens in view.tokens):
            continue
        values, known = received_tokens(view, depth)
        if known.all():
            with torch.inference_mode():
                guess = network(torch.from_numpy(values)[None], depth)[0, :, :height, :width]
            picture: Picture = guess.clamp(0, 1).permute(1, 2, 0).numpy().copy()
            return picture
    return None
