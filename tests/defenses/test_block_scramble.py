"""Pictures of which a server gets the blocks in an order and orientation that only the edge knows."""

from typing import Any

import numpy as np
import pytest

from pedbench.plugins.defenses.block_scramble import BlockScramble
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.privacy.disclosure_audit import Audit


def test_a_block_as_large_as_the_frame_is_full_offload(mini: Any) -> None:
    frame = mini.picture(0.75, 1)
    scrambled, whole = (mini.run(defense, frame) for defense in (BlockScramble(block=1), FullOffload()))
    assert [message.payload["pixels"].tobytes() for message in scrambled.received] == [
        message.payload["pixels"].tobytes() for message in whole.received
    ]
    assert (scrambled.embedding.features == whole.embedding.features).all()


@pytest.mark.parametrize("mirror", [False, True])
def test_servers_get_the_same_pixels_elsewhere(mini: Any, mirror: bool) -> None:
    frame = mini.picture(1, 1)
    _, seen, found = mini.judge(BlockScramble(block=0.2, mirror=mirror), frame)
    assert found == Audit(whole_visible=(), invalid=())
    (patch,) = seen[0].patches
    assert np.array_equal(np.sort(patch.picture, axis=None), np.sort(frame, axis=None))
    assert (patch.picture == frame).all(axis=-1).mean() < 0.5


def test_every_request_has_its_own_key(mini: Any) -> None:
    frame = mini.picture(1, 1)
    one, two, repeated = (
        mini.run(BlockScramble(), frame, seed).received[0].payload["pixels"].tobytes() for seed in (1, 2, 1)
    )
    assert one == repeated
    assert one != two


@pytest.mark.parametrize("block", [0.0, 1.5])
def test_blocks_beyond_the_frame_are_refused(block: float) -> None:
    with pytest.raises(ValueError, match=r"block must lie in \(0, 1\]"):
        BlockScramble(block=block)
