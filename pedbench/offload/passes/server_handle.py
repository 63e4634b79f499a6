"""One server as a defense holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from pedbench.base import Embedding
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.offload.operations.tiles import to_bytes
from pedbench.offload.passes.call import Pending
from pedbench.offload.wire.codec_labels import codec_for
from pedbench.types import Picture

if TYPE_CHECKING:
    from pedbench.offload.passes.cloud import Cloud


class ServerHandle:
    """One server of a cloud."""

    def __init__(self, cloud: Cloud, index: int) -> None:
        self._cloud = cloud
        self._index = index

    def call(
        self, operation: str, *, arguments: Mapping[str, str] | None = None, **tensors: npt.NDArray[Any]
    ) -> Pending:
        """Send a payload; the reply is waited for with `result()`.

        Args:
            operation: Name of the operation.
            arguments: All its declared string arguments.
            tensors: All its declared arrays.

        Raises:
            WireError: The call is not what the operation declares.
        """
        return self._cloud.send({self._index: tensors}, operation, arguments or {})[self._index]

    def encode_image(
        self,
        frame: Picture,
        weights: str = "original",
        reply: str = "float32",
        payload: str = "pixels",
    ) -> Embedding:
        """Let the server run the whole image encoder.

        Args:
            frame: (H, W, 3) in [0, 1]; rounded to 8 bits.
            weights: Which network.
            reply: How the embedding comes back, `float32`, `float16` or a codec for these.
            payload: How the frame travels, `pixels` as they are or a codec for them.
        """
        network = self._cloud.networks.network(weights)
        dtype, written = reply_form(reply)
        picture = codec_for("uint8", payload).label if payload != "pixels" else ""
        with self._cloud.clock.preparing():
            pixels = to_bytes(frame)
            self._cloud.give({self._index: pixels[..., 0].size})
        pending = self._cloud.send(
            {self._index: {"pixels": pixels}},
            "encode_image",
            {"weights": weights, "reply": dtype},
            codecs={"pixels": picture} if picture else {},
            reply=written,
        )[self._index]
        if picture:
            self._cloud.streamed.add((self._index, pending.sequence))
        features = torch.tensor(pending.result()["features"], device=network.device)
        return Embedding(features=features.float(), network=network)
