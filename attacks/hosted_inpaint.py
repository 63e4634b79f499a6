"""Inpainting by a service on another machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack, Calibration, Hosted
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class HostedInpaint(Attack):
    """Have a service inpaint hidden parts, and keep the sample that continues the visible parts best.

    What the view shows is sent to the service: suites must permit it with `allow_upload = true`. The guess is the
    sample with the smallest step at the border of the visible part. Without any visible pixel the guess is the mean
    colour.

    Attributes:
        provider: `firefly` (Adobe Firefly's generative fill), `image_edits` (OpenAI's endpoint images/edits),
            or `form` (a server of one's own).
        url: Address of the service; "" for that of the provider.
        model: Model of the service; "" for its default.
        prompt: Description of the picture, if the attacker has one.
        samples: Number of samples, each of which is a request.
        side: Longest side in pixels of the picture that is sent; fixed for most models of `image_edits`.
    """

    name = "hosted_inpaint"
    version = 1
    cite = "Adobe Firefly in arXiv:2512.09309; OpenAI API reference, Create image edit"
    needs = frozenset({"pixels"})
    completes = True
    family = "inpainting"
    calibration = Calibration(
        defense="ped_sam",
        params={"servers": 3},
        metric="advantage[LPIPS-scoring]",
        region="hidden",
        least=0.01,
    )

    provider: str = "firefly"
    url: str = ""
    model: str = ""
    prompt: str = ""
    samples: int = 1
    side: int = 1024

    def __post_init__(self) -> None:
        self._hosted = Hosted(**self.params)

    @property
    def hosted(self) -> Hosted:
        return self._hosted

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        from pedbench.inversion.inpainting import smoothest
        from pedbench.inversion.read_out import fill_with_nearest

        if not view.paintings:
            return fill_with_nearest(view)
        return smoothest(view.paintings, view.canvas()[1])
