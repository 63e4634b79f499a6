"""Inpainting: the choice of a sample by its seam, and hidden pixels."""

from typing import Any

import numpy as np
import pytest
import torch

from pedbench.inversion.inpainting import paint, seam
from pedbench.inversion.resizing import hidden_part
from pedbench.models.attackers.inpainting import Inpainting
from pedbench.types import Patch, Prior, View

PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


def test_the_sample_with_the_smallest_seam_is_taken() -> None:
    class Flat:
        """Paints all in one grey, which the seed chooses."""

        unet = type("Network", (), {"config": type("Config", (), {"sample_size": 64})})
        greys = iter((0.9, 0.55, 0.1))

        def __call__(self, image: Any, mask_image: Any, generator: Any, **options: Any) -> Any:
            return type("Output", (), {"images": np.full_like(image, next(self.greys))})

    frame = np.full((64, 64, 3), 0.5, np.float32)
    view = View(
        frame_size=(64, 64), patches=(Patch(picture=frame[:, :32], top=0, left=0, server=0),), prior=PRIOR
    )
    (guess,) = paint(Inpainting(pipeline=Flat()), [view], seeds=[[1, 2, 3]], steps=1, caption="")
    np.testing.assert_allclose(guess[:, 40:], 0.55, atol=1e-6)
    with pytest.raises(ValueError, match="Flat takes no caption, found 'a room'"):
        paint(Inpainting(pipeline=Flat()), [view], seeds=[[1]], steps=1, caption="a room")


def test_the_seam_counts_pairs_across_the_border() -> None:
    picture, hidden = torch.rand(3, 7, 6), torch.rand(7, 6) < 0.5
    steps = [
        (picture[:, y, x] - picture[:, y + dy, x + dx]).square()
        for y in range(7)
        for x in range(6)
        for dy, dx in ((0, 1), (1, 0))
        if y + dy < 7 and x + dx < 6 and hidden[y, x] != hidden[y + dy, x + dx]
    ]
    assert seam(picture, hidden) == pytest.approx(float(torch.stack(steps).mean()), rel=1e-5)
    assert seam(picture, torch.ones(7, 6, dtype=torch.bool)) == 0


def test_pixels_seen_in_part_are_hidden() -> None:
    seen = torch.ones(20, 20, dtype=torch.bool)
    seen[9, 9] = False
    assert hidden_part(seen, (4, 4)).nonzero().tolist() == [[1, 1]]
    # Pixel 9 of 20 lies across pixels 2 and 3 of 6 at 3.33 each: from 6.67 to 10 and so on.
    assert hidden_part(seen, (6, 6)).nonzero().tolist() == [[2, 2]]
    assert hidden_part(seen, (40, 40)).sum() == 4
