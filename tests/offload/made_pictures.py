import numpy as np

from pedbench.types import Picture


def picture(size: tuple[int, int], seed: int = 5) -> Picture:
    levels = np.random.default_rng(seed).integers(0, 256, (*size, 3))
    return levels.astype(np.float32) / np.float32(255)
