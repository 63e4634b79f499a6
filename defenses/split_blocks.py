"""Split computing: the first blocks on the edge, the others on one server."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.operations.payload_fields import REPLY_DTYPES
from pedbench.offload.passes.split import encode_split
from pedbench.types import Picture


@dataclass(kw_only=True)
class SplitBlocks(Defense):
    """The edge runs the patch embedding and the first blocks; one server gets all tokens and runs the rest.

    Attributes:
        blocks: Number of blocks that run on the edge. With 0 the server gets the patch embedding, which
            determines the pixels if it has as many channels as a patch has values.
        dtype: Format of tokens in both directions, `float32` or `float16`.
        weights: The network.
    """

    name = "split_blocks"
    version = 1
    cite = "Kang et al., Neurosurgeon, ASPLOS 2017"
    disclosure = "exact"
    blocks: int = 2
    dtype: str = "float32"
    weights: str = "original"

    def __post_init__(self) -> None:
        if self.blocks < 0:
            raise ValueError(f"blocks must not be negative, found {self.blocks}")
        if self.dtype not in REPLY_DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}; known: {', '.join(REPLY_DTYPES)}")

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        return encode_split(cloud, frame, self.blocks, weights=self.weights, dtype=self.dtype)
