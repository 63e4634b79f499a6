"""Seeds of passes and guesses."""

from __future__ import annotations

import hashlib

from pedbench.measure.seeds import generator, guess_seed, torch_seed


def test_seeds_depend_on_their_arguments_alone() -> None:
    draws = generator(0, "scenes", "a", "ped_sam").random(4).tolist()
    assert draws == generator(0, "scenes", "a", "ped_sam", 0).random(4).tolist()
    others = [(1, "scenes", "a", "ped_sam"), (0, "s", "cenesa", "ped_sam"), (0, "scenes", "b", "ped_sam")]
    assert all(generator(*other).random(4).tolist() != draws for other in others)
    assert generator(0, "scenes", "a", "ped_sam", 1).random(4).tolist() != draws
    assert 0 <= torch_seed(0, "scenes", "a", "ped_sam") < 2**63
    # The streams of published runs must never change.
    assert torch_seed(0, "scenes", "a", "ped_sam", 2) == PINNED_SEED


def test_seeds_of_guesses_name_no_picture_and_differ_from_view_to_view() -> None:
    seed = guess_seed(0, b"frame", b"held", "vitmae")
    assert seed == guess_seed(0, b"frame", b"held", "vitmae") < 2**63
    others = [(1, b"frame", b"held", "vitmae"), (0, b"other", b"held", "vitmae"),
              (0, b"frame", b"less", "vitmae"), (0, b"frame", b"held", "deblur")]  # fmt: skip
    assert len({seed, *(guess_seed(*other) for other in others)}) == 5
    public = [
        torch_seed(0, dataset, image, "vitmae") for dataset in ("scenes", "") for image in ("a", "frame")
    ]
    assert seed not in public


PINNED_SEED = int(hashlib.sha256(b'[0, "scenes", "a", "ped_sam", 2]').hexdigest(), 16) >> 193
