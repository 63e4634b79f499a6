"""Operation on a picture without some of its rectangles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch

from pedbench.base import Field, Networks, Operation
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import WEIGHTS
from pedbench.offload.operations.payload_fields import FEATURES, REPLY_DTYPES, encoded
from pedbench.pictures.frame import from_uint8
from pedbench.pictures.regions import rectangles
from pedbench.types import Mask, Patch, Payload

GREY = 128
"""Level with which the server fills the rectangles."""


class EncodeRedacted(Operation):
    """Run the whole image encoder on a picture of which some rectangles are grey.

    `pixels` is the picture without padding, zero in the rectangles. `boxes` are those, as `rectangles` returns them: of
    several ways to write the same region, the choice could carry content. The reply is that of `encode_image`.
    """

    name = "encode_redacted"
    request: ClassVar = {
        "pixels": Field(dtypes=("uint8",), shape=("height", "width", 3)),
        "boxes": Field(dtypes=("int32",), shape=("boxes", 4)),
    }
    reply: ClassVar = FEATURES
    arguments: ClassVar = {"weights": WEIGHTS, "reply": REPLY_DTYPES}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        network = networks.network(arguments["weights"])
        pixels = payload["pixels"].copy()
        pixels[_hidden(payload)] = GREY
        features = network.image_encoder(preprocess(network, torch.tensor(pixels)))
        return {"features": encoded(features, arguments)}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        pixels, hidden = payload["pixels"], _hidden(payload)
        if [tuple(box) for box in payload["boxes"].tolist()] != rectangles(hidden):
            raise ValueError("expected the boxes as `rectangles` returns them for their union")
        if pixels[hidden].any():
            raise ValueError("pixels carry something in the boxes, where only zeros are expected")
        return [
            Patch(
                picture=from_uint8(pixels[tile.slices]),
                top=tile.top,
                left=tile.left,
                server=server,
                request=request,
            )
            for tile in rectangles(~hidden)
        ]


def _hidden(payload: Payload) -> Mask:
    """Return the (H, W) mask of the boxes' union."""
    hidden = np.zeros(payload["pixels"].shape[:2], np.bool_)
    for top, left, bottom, right in payload["boxes"].tolist():
        hidden[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return hidden
