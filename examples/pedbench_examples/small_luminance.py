"""A defense with an operation of its own: a server gets a small grey picture, which it enlarges and encodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from pedbench.base import Cloud, Defense, Edge, Embedding, Field, Networks, Operation
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import WEIGHTS
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.types import Patch, Payload, Picture


class EncodeLuminance(Operation):
    """Enlarge a small grey picture to the frame's size, and run the image encoder on it."""

    name = "encode_luminance"
    request: ClassVar = {
        "luminance": Field(dtypes=("uint8",), shape=("height", "width")),
        "frame": Field(dtypes=("int32",), shape=(2,)),
    }
    reply: ClassVar = {"features": Field(dtypes=("float32",), shape=(1, "channels", "rows", "columns"))}
    arguments: ClassVar = {"weights": WEIGHTS}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        network = networks.network(arguments["weights"])
        features = network.image_encoder(preprocess(network, enlarged(payload)))
        return {"features": features.float().cpu().numpy()}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Patch]:
        picture = from_uint8(enlarged(payload))
        return [Patch(picture=picture, top=0, left=0, server=server, request=request)]


def enlarged(payload: Payload) -> npt.NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 picture, of the frame's size, that a payload shows."""
    height, width = payload["frame"].tolist()
    small = Image.fromarray(payload["luminance"])
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR).convert("RGB"))


@dataclass(kw_only=True)
class SmallLuminance(Defense):
    """One server gets the luminance of the frame, as means over squares of `factor` pixels."""

    name = "small_luminance"
    version = 1
    disclosure = "degraded"
    factor: int = 4
    weights: str = "original"

    def __post_init__(self) -> None:
        if not 2 <= self.factor <= 64:
            raise ValueError(f"factor lies in [2, 64], found {self.factor}")

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            small = Image.fromarray(to_uint8(frame)).convert("L").reduce(self.factor)
            arrays = {"luminance": np.asarray(small), "frame": np.array(frame.shape[:2], np.int32)}
        pending = cloud[0].call(EncodeLuminance.name, arguments={"weights": self.weights}, **arrays)
        features = torch.tensor(pending.result()["features"])
        return Embedding(features=features, network=edge.networks.network(self.weights))
