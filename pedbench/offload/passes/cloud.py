"""The cloud: the servers that a defense may call during one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch

from pedbench.base import Embedding
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.calls import Calls
from pedbench.offload.passes.stream_windows import stream_windows
from pedbench.offload.wire.codec_labels import codec_for
from pedbench.pictures.frame import to_uint8
from pedbench.types import Assignment, Picture, Window


class Cloud(Calls):
    """The servers of one pass over one frame; `pedbench.base.Cloud` documents the methods."""

    def __getitem__(self, index: int) -> ServerHandle:
        try:
            return ServerHandle(self, range(len(self))[index])
        except IndexError:
            raise IndexError(
                f"there is no server {index}: `servers` of the defense is {len(self)}, which are counted from 0"
            ) from None

    def encode_windows(
        self,
        frame: Picture,
        assignment: Assignment,
        *,
        home: Sequence[Window] = (),
        weights: str = "fine-tuned",
        payload: str = "pixels",
        reply: str = "float32",
        chunk: int = 0,
    ) -> torch.Tensor:
        if frame.shape[:2] != self._ledger.frame:
            raise ValueError(
                f"this pass is over a frame of {self._ledger.frame} pixels, found {frame.shape[:2]}"
            )
        return stream_windows(
            self, frame, assignment, home=home, weights=weights, payload=payload, reply=reply, chunk=chunk
        )


class ServerHandle:
    """One server of a cloud; `pedbench.base.ServerHandle` documents the methods."""

    def __init__(self, calls: Calls, index: int) -> None:
        self._calls = calls
        self._index = index

    def call(
        self, operation: str, *, arguments: Mapping[str, str] | None = None, **tensors: npt.NDArray[Any]
    ) -> Pending:
        return self._calls.send({self._index: tensors}, operation, arguments or {})[self._index]

    def encode_image(
        self,
        frame: Picture,
        weights: str = "original",
        reply: str = "float32",
        payload: str = "pixels",
    ) -> Embedding:
        network = self._calls.networks.network(weights)
        dtype, reply_codec = reply_form(reply)
        codec = codec_for("uint8", payload).label if payload != "pixels" else ""
        with self._calls.clock.preparing():
            pixels = to_uint8(frame)
            self._calls.give({self._index: pixels[..., 0].size})
        pending = self._calls.send(
            {self._index: {"pixels": pixels}},
            "encode_image",
            {"weights": weights, "reply": dtype},
            codecs={"pixels": codec} if codec else {},
            reply=reply_codec,
        )[self._index]
        if codec:
            self._calls.streamed.add((self._index, pending.sequence))
        features = torch.tensor(pending.result()["features"], device=network.device)
        return Embedding(features=features.float(), network=network)
