"""Scrambling of the picture's blocks before it is offloaded."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.pictures.blocks import block_side, scramble
from pedbench.types import Picture


@dataclass(kw_only=True)
class BlockScramble(Defense):
    """One server gets the frame with its square blocks permuted and turned by a key that is new for every request.

    These are the geometric steps of encryption-then-compression; its changes of colour are left out. Learnable
    encryption fine-tunes the server's network for scrambled pictures. No network was fine-tuned here, so the utility
    is a lower bound.

    Attributes:
        block: Side of a block relative to the frame's longest side; 1 makes the frame one block, which stays as it
            is. Blocks cut by the frame's border change places only with blocks cut alike.
        mirror: Whether blocks are mirrored at random, too.
        weights: The network that the server runs.
    """

    name = "block_scramble"
    version = 1
    cite = (
        "Tanaka, Learnable Image Encryption, arXiv 1804.00490; Chuman, Sirichotedumrong and Kiya, "
        "Encryption-then-Compression Systems using Grayscale-based Image Encryption for JPEG Images, "
        "arXiv 1811.00236"
    )
    disclosure = "degraded"
    shuffles = True
    block: float = 0.125
    mirror: bool = False
    weights: str = "original"

    def __post_init__(self) -> None:
        if not 0 < self.block <= 1:
            raise ValueError(f"block must lie in (0, 1], found {self.block}")

    @property
    def randomised(self) -> bool:
        return True

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        side = block_side((frame.shape[0], frame.shape[1]), self.block)
        with edge.preparing():
            scrambled = scramble(frame, side, self.mirror, edge.rng)
        return cloud[0].encode_image(scrambled, self.weights)
