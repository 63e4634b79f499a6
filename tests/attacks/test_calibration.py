"""Attacks on the defenses that calibrate them: real passes, the shipped networks, validation scenes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pedbench.adversary.prior import load_prior
from pedbench.adversary.view import build_view
from pedbench.base import Attack, Defense
from pedbench.inversion.averaging import average_tokens
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import from_uint8
from pedbench.plugins.attacks.accumulate import Accumulate
from pedbench.plugins.attacks.averaging import Averaging
from pedbench.plugins.attacks.jigsaw import Jigsaw
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.plugins.defenses.interleaved_offload import InterleavedOffload
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.split_blocks import SplitBlocks
from pedbench.plugins.defenses.token_noise import TokenNoise
from pedbench.plugins.defenses.window_shuffle import WindowShuffle
from pedbench.privacy.visibility import visible_mask
from pedbench.scenes.render import render
from pedbench.types import Picture, View

pytestmark = pytest.mark.slow

NETWORKS = FamilyNetworks(family=MINI)
SCENES = tuple(from_uint8(render(2, index, "val").image) for index in range(4))


@pytest.fixture(scope="module")
def servers() -> Iterator[VirtualServers]:
    with VirtualServers(3, NETWORKS) as started:
        yield started


def view_of(
    defense: Defense,
    frame: Picture,
    servers: VirtualServers,
    requests: int = 1,
    coalition: tuple[int, ...] = (0, 1, 2),
) -> View:
    rng, size = np.random.default_rng(7), (frame.shape[0], frame.shape[1])
    received = [
        seen
        for request in range(requests)
        for seen in observe(
            run_pass(defense, frame, servers, NETWORKS, rng, PassSettings(request=request)).received,
            servers.operations,
            NETWORKS,
            size,
        )
    ]
    return build_view(
        received,
        coalition,
        frame_size=size,
        disclosure=defense.disclosure,
        description={"defense": defense.name, "params": defense.params, "family": "mini"},
        prior=load_prior(),
    )


def psnr(attack: Attack, view: View, truth: Picture) -> float:
    guess = attack.reconstruct(view, np.random.default_rng(0))
    return float(-10 * np.log10(np.square(guess - truth).mean(dtype=np.float64)))


@pytest.mark.parametrize("payload", ["tokens16", "tokens32"])
def test_patch_inversion_reads_ped_sams_tokens(servers: VirtualServers, payload: str) -> None:
    found = [
        psnr(PatchInversion(), view_of(PedSam(payload=payload), frame, servers), frame) for frame in SCENES
    ]
    assert np.mean(found) >= 24
    deeper = [psnr(PatchInversion(), view_of(SplitBlocks(), frame, servers), frame) for frame in SCENES]
    assert 15 < np.mean(deeper) < np.mean(found) - 3


@pytest.mark.parametrize("count", [1, 3])
def test_jigsaw_undoes_the_shuffle(servers: VirtualServers, count: int) -> None:
    for frame in SCENES:
        shuffled = view_of(WindowShuffle(servers=count), frame, servers)
        ordered = view_of(PedSam(servers=count, payload="tokens32"), frame, servers)
        guess, best = (
            attack.reconstruct(view, np.random.default_rng(0))
            for attack, view in ((Jigsaw(), shuffled), (PatchInversion(), ordered))
        )
        tiles = [
            np.s_[row : row + 64, column : column + 64]
            for row in range(0, frame.shape[0], 64)
            for column in range(0, frame.shape[1], 64)
        ]
        right = [np.abs(guess[tile] - best[tile]).mean() < 0.01 for tile in tiles]
        assert np.mean(right) >= 0.9
        assert psnr(PatchInversion(), shuffled, frame) < psnr(Jigsaw(), shuffled, frame) - 8


def test_averaging_takes_off_the_noise(servers: VirtualServers) -> None:
    gains = []
    for frame in SCENES:
        view = view_of(TokenNoise(), frame, servers, requests=8)
        clean = view_of(PedSam(payload="tokens32"), frame, servers)
        noise = [
            np.concatenate([item.values for item in average_tokens(each)])
            - np.concatenate([item.values for item in average_tokens(clean.tokens)])
            for each in (view.tokens[:3], view.tokens)
        ]
        assert noise[1].std() == pytest.approx(noise[0].std() / 8**0.5, rel=0.03)
        single = replace(view, tokens=tuple(item for item in view.tokens if item.request == 0))
        gains.append(psnr(Averaging(), view, frame) - psnr(Averaging(), single, frame))
        assert psnr(PatchInversion(), single, frame) == pytest.approx(
            psnr(Averaging(), single, frame), abs=0.01
        )
    assert np.mean(gains) > 2


def test_accumulating_random_assignments_sees_what_the_formula_says(servers: VirtualServers) -> None:
    frame = SCENES[0]
    view = view_of(PedSam(assignment="random"), frame, servers, requests=4, coalition=(1,))
    single = replace(view, patches=tuple(item for item in view.patches if item.request == 0))
    shares = [float(visible_mask(each, frame).mean()) for each in (single, view)]
    assert shares[1] == pytest.approx(1 - (1 - shares[0]) ** 4, abs=0.15)
    assert psnr(Accumulate(), view, frame) > psnr(Accumulate(), single, frame) + 3


def test_tokens_that_were_mixed_add_nothing_for_an_attack_that_reads_them_in_place(
    servers: VirtualServers,
) -> None:
    frame = SCENES[0]
    view = view_of(InterleavedOffload(), frame, servers, coalition=(0,))
    pixels_only = replace(view, tokens=())
    rng = np.random.default_rng(0)
    assert view.tokens
    assert np.array_equal(
        PatchInversion().reconstruct(view, rng), PatchInversion().reconstruct(pixels_only, rng)
    )
