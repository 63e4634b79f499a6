"""Decoding of obfuscated tokens: the picture that a trained network guesses from the mean of several requests."""

from __future__ import annotations

from dataclasses import replace

import torch

from pedbench.inversion.averaging import average_tokens
from pedbench.inversion.token_decoding import received_tokens
from pedbench.models.attackers.split_decoding import SplitDecoderNetwork
from pedbench.models.obfuscator import Obfuscator
from pedbench.types import Picture, View


def decode_features(decoder: SplitDecoderNetwork, obfuscator: Obfuscator, view: View) -> Picture | None:
    """Decode the mean noisy channels of a view's requests.

    Of more requests than the decoder knows the first are taken; of a camera that moves only the first one.

    Args:
        decoder: The decoder, in evaluation mode, whose kinds are numbers of requests.
        obfuscator: The public obfuscator.
        view: View whose description names the encoder.

    Returns:
        (H, W, 3) in [0, 1]; None if the view lacks tokens of the whole grid.
    """
    deep = [tokens for tokens in view.tokens if tokens.depth == obfuscator.sizes.blocks]
    requests = sorted({tokens.request for tokens in deep})[: 1 if view.moves else None]
    known = [count for count in decoder.kinds if count <= len(requests)]
    if not known:
        return None
    chosen = requests[: max(known)]
    averaged = average_tokens(tokens for tokens in deep if tokens.request in chosen)
    values, received = received_tokens(replace(view, tokens=averaged), obfuscator.sizes.blocks)
    if not received.all():
        return None
    height, width = view.frame_size
    with torch.inference_mode():
        channels = obfuscator.channels(torch.from_numpy(values)[None])
        decoded = decoder(channels, max(known))[0, :, :height, :width]
    picture: Picture = decoded.clamp(0, 1).permute(1, 2, 0).numpy().copy()
    return picture
