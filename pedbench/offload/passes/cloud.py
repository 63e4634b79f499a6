"""The cloud: the servers that a defense may call during one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pedbench.offload.passes.calls import Calls
from pedbench.offload.passes.server_handle import ServerHandle
from pedbench.offload.passes.stream_windows import stream_windows
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
