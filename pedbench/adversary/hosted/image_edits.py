"""The images/edits endpoint of OpenAI, which others offer, too."""

from __future__ import annotations

import base64

import numpy as np

from pedbench.adversary.hosted.exchange import HostedError, multipart, read_json
from pedbench.adversary.hosted.provider import Provider
from pedbench.adversary.hosted.uploads import Upload, png
from pedbench.pictures.frame import Size

_SIZES = ((1024, 1024), (1024, 1536), (1536, 1024))
"""Heights and widths that the models of the family gpt-image take."""


_PROMPT = "Fill in the transparent part so that it continues the picture."
"""The prompt where the attacker has none: the endpoint wants one."""


class ImageEdits(Provider):
    """POST /v1/images/edits: the picture, and a mask whose transparent pixels are to be painted.

    Source: OpenAI API reference, Images, "Create image edit",
    https://platform.openai.com/docs/api-reference/images/createEdit. It has no seed: samples differ by chance.
    """

    address = "https://api.openai.com/v1"
    keys = ("OPENAI_API_KEY",)
    model = "gpt-image-1"

    @property
    def _model(self) -> str:
        return self.hosted.model or self.model

    def size(self, frame: Size) -> Size:
        """Return the permitted size of which the frame leaves least; models of the family dall-e take squares."""
        if self._model.startswith("dall-e"):
            return self.hosted.side, self.hosted.side
        ratio = frame[0] / frame[1]
        return max(_SIZES, key=lambda size: min(ratio / (size[0] / size[1]), size[0] / size[1] / ratio))

    def fill(self, upload: Upload, seed: int) -> bytes:
        height, width = upload.hidden.shape
        # Models of the family dall-e take pictures with an alpha channel alone.
        opaque = np.full((height, width), 255, np.uint8)
        picture = np.dstack([upload.picture, opaque])
        mask = np.dstack([upload.picture, np.where(upload.hidden, 0, opaque)])
        fields = {
            "model": self._model,
            "prompt": self.hosted.prompt or _PROMPT,
            "n": "1",
            "size": f"{width}x{height}",
        }
        if self._model.startswith("dall-e"):
            fields["response_format"] = "b64_json"
        body, kind = multipart(fields, {"image": png(picture), "mask": png(mask)})
        headers = {"Content-Type": kind, "Authorization": f"Bearer {self.key(self.keys[0])}"}
        reply = self.exchange.post(f"{self.base}/images/edits", body, headers, paid=True)
        try:
            return base64.b64decode(read_json(reply, self.base)["data"][0]["b64_json"], validate=True)
        except (KeyError, IndexError, TypeError, ValueError):
            raise HostedError(f"{self.base}: expected data[0].b64_json in the reply, found none") from None
