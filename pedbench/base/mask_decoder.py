"""Promptable decoders of one picture's embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from pedbench.pictures.frame import Size

if TYPE_CHECKING:
    import torch


class MaskDecoder(Protocol):
    """A decoder with the embedding of one picture; several threads may use it at the same time."""

    @property
    def canvas(self) -> int:
        """Side in pixels of the square that masks are upscaled to first, which bounds the prompts decoded at once."""

    def decode(
        self,
        original: Size,
        *,
        points: npt.NDArray[Any] | None = None,
        labels: npt.NDArray[Any] | None = None,
        boxes: npt.NDArray[Any] | None = None,
        logits: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict several masks for each of N prompts; coordinates are pixels of the original picture.

        Args:
            original: Height and width (H, W) of the original picture.
            points: (N, K, 2) clicks as x, y.
            labels: (N, K) 1 inside the object, 0 outside; given with `points`.
            boxes: (N, 4) left, top, right, bottom.
            logits: (N, 1, h, w) logits of the masks to correct, as returned here.

        Returns:
            Logits (N, M, h, w) of the M masks of each prompt, and their predicted IoU (N, M).
        """

    def upscale(self, logits: torch.Tensor, original: Size) -> torch.Tensor:
        """Return masks (N, H, W) bool at the original resolution.

        Args:
            logits: (N, 1, h, w), as `decode` returns them.
            original: Height and width (H, W) of the original picture.
        """
