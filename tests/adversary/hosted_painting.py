"""Views, requests and a painter for the tests of hosted inpainting."""

from __future__ import annotations

from typing import Any

import numpy as np

from pedbench.adversary.hosted.exchange import Clock
from pedbench.adversary.hosted.painter import Painter
from pedbench.base import Hosted
from pedbench.types import Patch, Picture, Prior, View
from tests.adversary.hosted_services import Services

PLACES = {"firefly": "", "image_edits": "/v1", "form": "/fill"}
PAID = {"firefly": "/v3/images/fill-async", "image_edits": "/v1/images/edits", "form": "/fill"}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: 1000 + sum(self.slept), sleep=self.slept.append)


def view(frame: Picture) -> View:
    """Return the view of a coalition that received the upper left quarter."""
    height, width = frame.shape[:2]
    patch = Patch(picture=frame[: height // 2, : width // 2], top=0, left=0, server=0)
    prior = Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=())
    return View(frame_size=(height, width), patches=(patch,), prior=prior)


def frame(seed: int = 0, size: tuple[int, int] = (48, 64)) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3))
    return (pixels / 255).astype(np.float32)


def asking(services: Services, provider: str, **changes: Any) -> Hosted:
    model = "dall-e-2" if provider == "image_edits" else ""
    place = services.url + PLACES[provider]
    settings: dict[str, Any] = {"provider": provider, "url": place, "model": model, "side": 128}
    return Hosted(**settings | changes)


def painter(time: Time, **changes: Any) -> Painter:
    settings: dict[str, Any] = {"account": "tests", "most_requests": 20, "clock": time.clock()}
    return Painter(**settings | changes)
