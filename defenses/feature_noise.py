"""Split computing with learned noise on the tokens that leave the device."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.hub.folders import weights_file
from pedbench.models.obfuscator import OBFUSCATOR, Obfuscator, load_obfuscator
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.stages import run_blocks
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture


@dataclass(kw_only=True)
class FeatureNoise(Defense):
    """One server gets all tokens after the first blocks, obfuscated by a trained projection with noise.

    The device projects tokens to fewer channels, adds noise that is new for every request, and maps the sum back to
    tokens. Both maps were trained to keep the masks and, at the same time, to raise the error of a decoder that was
    trained against them. The server runs the rest of the unchanged encoder. The obfuscator is public and
    fits `sam-mini` alone.
    """

    name = "feature_noise"
    version = 1
    cite = (
        "Singh et al., DISCO, CVPR 2021, arXiv:2012.11025; Mireshghallah et al., Shredder, ASPLOS 2020, "
        "arXiv:1905.11814"
    )
    disclosure = "degraded"
    _obfuscator: Obfuscator = field(init=False, repr=False, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        return (weights_file(OBFUSCATOR),)

    @property
    def networks(self) -> tuple[str, ...]:
        return ("original",)

    @property
    def randomised(self) -> bool:
        return True

    def prepare(self, device: str) -> None:
        self._obfuscator = load_obfuscator(self.files[0]).to(device)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        network, sizes = edge.networks.network("original"), self._obfuscator.sizes
        encoder = network.image_encoder
        if encoder.pos_embed.shape[3] != sizes.width:
            raise ValueError(
                f"the obfuscator {OBFUSCATOR} takes tokens of {sizes.width} channels, found an encoder with "
                f"{encoder.pos_embed.shape[3]}: run it with `--model mini`"
            )
        with edge.preparing():
            cloud.give({0: frame[..., 0].size})
            pixels = preprocess(network, to_uint8(frame))
        embedded = encoder.patch_embed(pixels) + encoder.pos_embed
        tokens = run_blocks(encoder, embedded, 0, sizes.blocks).float()
        noise = edge.rng.standard_normal((*tokens.shape[:3], sizes.channels), np.float32)
        obfuscated = self._obfuscator(tokens, torch.from_numpy(noise).to(tokens))[0]
        with edge.preparing():
            payload = {"tokens": obfuscated.cpu().numpy(), "frame": np.array(frame.shape[:2], np.int32)}
        arguments = {"weights": "original", "reply": "float32", "first": str(sizes.blocks)}
        reply = cloud.send({0: payload}, "finish_blocks", arguments)[0]
        return Embedding(features=reply.tensor("features", None, network.device), network=network)
