"""Training of the decoder of obfuscated tokens: pictures from the noisy channels of one request or of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pedbench.models.attackers.split_decoding import REQUESTS
from pedbench.models.obfuscator import OBFUSCATOR, load_obfuscator
from pedbench.training.data.encoder_tokens import encoder_tokens
from pedbench.training.data.pictures import Pictures
from pedbench.training.tasks.split_decoding import SplitDecodingCourse, SplitDecodingRecipe


@dataclass(frozen=True, kw_only=True)
class FeatureDecodingRecipe(SplitDecodingRecipe):
    """Recipe of a decoder of the mean noisy channels of `REQUESTS`.

    Attributes:
        obfuscator: The finished obfuscator; its channels are the decoder's width.
    """

    obfuscator: str = OBFUSCATOR


class FeatureDecodingCourse(SplitDecodingCourse):
    """Trains a `SplitDecoderNetwork` on the channels of a finished obfuscator, with fresh noise in each step."""

    kinds = REQUESTS
    score = "PSNR from requests: {kind}"

    def prepare(self, weights: Path) -> None:
        obfuscator = load_obfuscator(weights / f"{self.recipe.obfuscator}.safetensors")
        self._obfuscator = obfuscator.to(self.device)
        super().prepare(weights)

    def tokens(self, pictures: Pictures, kinds: tuple[int, ...]) -> dict[int, Tensor]:
        """Return the mean noisy channels (B, h, w, channels) of some numbers of requests."""
        blocks = self._obfuscator.sizes.blocks
        with torch.no_grad():
            clean = self._obfuscator.project(encoder_tokens(self._sam, pictures, (blocks,))[blocks])
        found = {}
        for requests in kinds:
            # The mean of independent standard normal samples has this distribution.
            noise = pictures.rng.standard_normal(clean.shape) / requests**0.5
            found[requests] = clean + torch.from_numpy(noise).to(clean)
        return found
