"""A server of one's own that answers one form: two PNG in, one PNG out."""

from __future__ import annotations

import numpy as np

from pedbench.adversary.hosted.exchange import multipart
from pedbench.adversary.hosted.provider import Provider
from pedbench.adversary.hosted.uploads import Upload, png


class Form(Provider):
    """A self-hosted server, e.g. a pipeline of diffusers or a bridge to ComfyUI: see docs/guide/hosted_inpainting.md.

    POST with multipart form data to the attack's `url` itself: the files `image` (RGB) and `mask` (grey, 255 where the
    picture is to be painted, as diffusers has it), the fields `prompt`, `model` and `seed`. The reply is a picture.
    """

    optional_keys = ("PEDBENCH_INPAINT_KEY",)

    def fill(self, upload: Upload, seed: int) -> bytes:
        body, kind = multipart(
            {"prompt": self.hosted.prompt, "model": self.hosted.model, "seed": str(seed)},
            {"image": png(upload.picture), "mask": png(upload.hidden.astype(np.uint8) * 255)},
        )
        key = self.key(self.optional_keys[0])
        headers = {"Content-Type": kind, "Accept": "image/png"}
        return self.exchange.post(
            self.base, body, headers | ({"Authorization": f"Bearer {key}"} if key else {}), paid=True
        )
