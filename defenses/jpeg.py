"""JPEG compression of the picture before it is offloaded."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.offload.wire.codec_labels import find_codec
from pedbench.types import Picture


@dataclass(kw_only=True)
class Jpeg(Defense):
    """One server gets the frame as JPEG.

    Attributes:
        quality: JPEG's, from 1 to 95, with chroma halved both ways.
        weights: The network that the server runs.
        reply: Format of the returned embedding: `float32`, `float16`, or a codec such as `quantised`.
    """

    name = "jpeg"
    version = 2
    cite = "ITU-T T.81"
    disclosure = "degraded"
    quality: int = 10
    weights: str = "original"
    reply: str = "float32"

    def __post_init__(self) -> None:
        find_codec(self._picture)
        reply_form(self.reply)

    @property
    def codecs(self) -> tuple[str, ...]:
        return tuple(filter(None, (find_codec(self._picture).label, reply_form(self.reply)[1])))

    @property
    def _picture(self) -> str:
        return f"jpeg(quality={self.quality})"

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        return cloud[0].encode_image(frame, self.weights, self.reply, self._picture)
