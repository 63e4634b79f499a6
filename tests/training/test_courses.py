"""The attackers' networks: what they see in training, and that stopping does not change where it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.metrics.learned_perceptual_similarity import OWN, build_network, distance_maps
from pedbench.models.attackers.context import ContextSizes
from pedbench.models.attackers.restoration import RestorationSizes, RestorationTransformer, load_restoration
from pedbench.models.attackers.sharpening import SharpeningSizes
from pedbench.models.attackers.split_decoding import SplitDecoderSizes
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.stages import WindowStage, window_tiles
from pedbench.training.core.loop import Schedule, Trainer
from pedbench.training.core.task import Course, prefetched
from pedbench.training.data.coalition_masks import draw_coalition, held_pixels, held_tokens
from pedbench.training.data.packing import PackedScenes
from pedbench.training.recipes import RECIPES, make_course
from pedbench.training.tasks.detection import DetectorSizes
from pedbench.training.tasks.masked_autoencoder import AutoencoderSizes

SMALL = RestorationSizes(width=24, depth=1, heads=2)
SHALLOW = AutoencoderSizes(num_hidden_layers=1, decoder_num_hidden_layers=1)
CHANGES: dict[str, dict[str, Any]] = {
    "lpips-mini": {"batch": 4},
    "scoring-mini": {"batch": 8},
    "mae-mini": {"batch": 3, "sizes": SHALLOW},
    "inpaint-mini": {"batch": 2},
    "completion-mini": {"batch": 3, "start": "", "sizes": SHALLOW},
    "decoder-ped-mini": {"batch": 2, "sizes": replace(SMALL, token_channels=192)},
    "decoder-split-mini": {"batch": 2, "sizes": SplitDecoderSizes(depth=1, rounds=1, detail=4)},
    "feature-noise-mini": {
        "batch": 2,
        "adversary_steps": 1,
        "adversary": SplitDecoderSizes(width=96, depth=1, rounds=1, detail=4),
    },
    "decoder-feature-noise-mini": {
        "batch": 2,
        "sizes": SplitDecoderSizes(width=96, depth=1, rounds=1, detail=4),
    },
    "objects-mini": {"batch": 2, "sizes": DetectorSizes(side=128, stages=(8, 12, 16, 16), width=32, heads=2)},
    "context-mini": {"batch": 4, "sizes": ContextSizes(width=16, heads=2)},
    "deblur-mini": {"frames": 2, "batch": 4, "crop": 32, "sizes": SharpeningSizes(width=8, blocks=1)},
}
LARGE = {
    "inpaint-mini", "completion-mini", "mae-mini", "decoder-ped-mini", "decoder-split-mini", "feature-noise-mini",
    "decoder-feature-noise-mini",
}  # fmt: skip
"""Courses whose networks are not small here either."""


def _course(name: str, scenes: PackedScenes, steps: int = 4) -> Course:
    torch.manual_seed(0)
    recipe = replace(RECIPES[name], schedule=Schedule(steps=steps, warmup=2), **CHANGES[name])
    return make_course(name, recipe, training=scenes, validation=scenes, weights=ASSETS, device="cpu")


def _trained(name: str, scenes: PackedScenes, folder: Path, stops: list[int]) -> dict[str, torch.Tensor]:
    """Train for some steps, leaving off after each of `stops` as a killed run would."""
    for last in stops:
        course = _course(name, scenes)
        trainer = Trainer(course.network, course.auxiliary, course.schedule, folder)
        trainer.resume()
        trainer.run(prefetched(course.make_batch, trainer.step, last), course.loss, lambda step, values: None)
    return trainer.average


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long) if name in LARGE else name for name in CHANGES],
)
def test_resumed_training_ends_at_the_same_weights(name: str, scenes: PackedScenes, tmp_path: Path) -> None:
    whole = _trained(name, scenes, tmp_path / "whole", [3])
    parts = _trained(name, scenes, tmp_path / "parts", [1, 3])
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    start = _course(name, scenes).network.state_dict()
    assert any(not torch.equal(whole[key], start[key]) for key in whole)


@pytest.mark.slow
def test_no_course_but_its_own_reads_the_trunk_that_scores(
    scenes: PackedScenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ASSETS.iterdir():
        if file != OWN["scoring"]:
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setitem(OWN, "scoring", tmp_path / "absent.safetensors")
    # The first stages of `sam-mini` are not shipped.
    begun = {name: recipe for name, recipe in RECIPES.items() if name not in ("sam-mini-2", "sam-mini")}
    for name, recipe in begun.items():
        make_course(name, recipe, training=scenes, validation=scenes, weights=tmp_path, device="cpu")
    with pytest.raises(ValueError, match=r"absent\.safetensors"):
        build_network("scoring", "", "cpu")


def test_a_masked_autoencoder_starts_with_positions_as_its_library_has_them(scenes: PackedScenes) -> None:
    from transformers.models.vit_mae.modeling_vit_mae import build_2d_sinusoidal_position_embedding

    network: Any = _course("mae-mini", scenes).fresh()
    for found in (network.vit.embeddings.position_embeddings, network.decoder.decoder_pos_embed):
        rows, columns = build_2d_sinusoidal_position_embedding(20, 20, found.shape[2]).chunk(2, dim=1)
        expected = torch.cat([columns, rows], dim=1)
        torch.testing.assert_close(found[0, 1:], expected, rtol=0, atol=1e-6)
        assert not found[0, 0].any()


def test_coalitions_are_what_the_policies_give() -> None:
    grid, frame = SAM_MINI.grid, (240, 320)
    rng = np.random.default_rng(0)
    coalitions = [draw_coalition(frame, grid, rng) for _ in range(400)]
    assert all(set(windows) <= set(grid.active(frame)) for windows in coalitions)
    shares = [held_pixels(windows, frame, grid)[:240].mean() for windows in coalitions]
    # Nobody who holds all windows needs an attack, and some guess without any.
    assert min(shares) == 0
    assert max(shares) < 1
    # One of three servers holds 7 or 8 windows of the twenty; one of 25 holds one.
    counts = np.bincount([len(windows) for windows in coalitions])
    assert counts[1] > 40
    assert counts[6:9].sum() > 80
    for windows in coalitions[:20]:
        pixels, tokens = held_pixels(windows, (320, 320), grid), held_tokens(windows, grid)
        np.testing.assert_array_equal(pixels[::16, ::16], tokens)


def test_restoration_sees_nothing_that_is_not_held() -> None:
    torch.manual_seed(0)
    network = RestorationTransformer(replace(SMALL, token_channels=8))
    visible = torch.zeros(1, 1, 160, 160)
    visible[..., 32:64, 64:96] = 1
    tokens_held = torch.zeros(1, 1, 20, 20)
    tokens_held[..., 4:8, 8:12] = 1
    inside = torch.ones(1, 1, 160, 160)
    picture, tokens = torch.rand(1, 3, 160, 160), torch.randn(1, 8, 20, 20)
    other = torch.where(visible.bool(), picture, torch.rand_like(picture))
    others = torch.where(tokens_held.bool(), tokens, torch.randn_like(tokens))
    with torch.no_grad():
        guess = network(picture, visible, inside, tokens, tokens_held)
        assert torch.equal(guess, network(other, visible, inside, others, tokens_held))
        assert not torch.equal(guess, network(picture, visible, inside, tokens.flip(1), tokens_held))
        assert not torch.equal(guess, network(picture.flip(1), visible, inside, tokens, tokens_held))


def test_decoders_tokens_are_those_that_servers_compute(scenes: PackedScenes) -> None:
    course: Any = _course("decoder-ped-mini", scenes)
    batch = course.make_batch(0)
    tokens, visible = course._tokens(batch)
    stage = WindowStage(course._encoder.image_encoder)
    for place, size in enumerate(batch.pictures.sizes):
        image = batch.pictures.images[place, :, : size[0], : size[1]].permute(1, 2, 0).numpy()
        windows = [w for w in stage.grid.active(size) if visible[place, 0, w[0] * 4, w[1] * 4]]
        if not windows:
            continue
        crops = [np.rint(image[stage.grid.tile(w, size).slices] * 255).astype(np.uint8) for w in windows]
        with torch.no_grad():
            expected = stage(stage.embed(window_tiles(course._encoder, crops)), windows)
        for window, values in zip(windows, expected, strict=True):
            part = np.s_[:, window[0] * 4 : window[0] * 4 + 4, window[1] * 4 : window[1] * 4 + 4]
            torch.testing.assert_close(tokens[place][part].permute(1, 2, 0), values, atol=2e-4, rtol=2e-4)


def test_autoencoder_keeps_a_fixed_number_of_patches_inside_the_picture(scenes: PackedScenes) -> None:
    course: Any = _course("mae-mini", scenes)
    batch = course.make_batch(0)
    course.loss(0, batch)
    with torch.no_grad():
        mean, deviation = (
            torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        )
        pixels = (batch.pictures.images - mean) / deviation * batch.pictures.inside
        out = course.network(pixel_values=pixels, noise=batch.noise)
    kept = out.mask == 0
    assert kept.sum(1).tolist() == [75] * 3
    assert not (kept & (batch.inside == 0)).any()
    # On pictures that fill the canvas the loss is the library's own.
    full = replace(batch, inside=torch.ones_like(batch.inside))
    full = replace(full, pictures=replace(batch.pictures, inside=torch.ones_like(batch.pictures.inside)))
    with torch.no_grad():
        ours, _ = course.loss(0, full)
        pixels = (batch.pictures.images - mean) / deviation
        with torch.autocast("cpu", torch.bfloat16):
            theirs = course.network(pixel_values=pixels, noise=batch.noise).loss
    torch.testing.assert_close(ours, theirs.float(), rtol=2e-2, atol=0)


@pytest.mark.slow
def test_completion_learns_from_what_coalitions_hold(scenes: PackedScenes) -> None:
    course: Any = _course("completion-mini", scenes)
    counts = set()
    for step in range(6):
        batch = course.make_batch(step)
        counts.add(batch.kept)
        with torch.no_grad():
            guess, _, counted = course._run(course.network, batch)
        shown = (counted[..., 0] == 0) & (batch.inside > 0)
        assert shown.sum(1).tolist() == [batch.kept] * 3
        repeated = scenes.draw(size=3, seed=0, step=step)
        repeated.rng.random(batch.inside.shape, np.float32)
        visible = course._visible_patches(repeated) > 0
        assert (shown <= visible).all()
        assert batch.kept == int(visible.sum(1).min())
    assert len(counts) > 2
    # The perceptual term is what the scorer measures, apart from its mirrored border and half precision.
    perceived = course._distance(guess, counted, batch.pictures)
    found, hidden = course._picture(course.network, guess, counted)
    network, expected = build_network("mini", "", "cpu"), []
    for place in range(3):
        picture = batch.pictures.images[place]
        pasted = torch.where(hidden[place] > 0, found[place], picture).permute(1, 2, 0).contiguous().numpy()
        (distances,) = distance_maps(network, [pasted], picture.permute(1, 2, 0).contiguous().numpy())
        expected.append(distances[hidden[place, 0].numpy() > 0])
    np.testing.assert_allclose(float(perceived), np.concatenate(expected).mean(), rtol=0.05)


def test_saved_networks_come_back(scenes: PackedScenes, tmp_path: Path) -> None:
    course = _course("decoder-ped-mini", scenes)
    course.save(course.network, tmp_path / "net.safetensors")
    repeated = load_restoration(tmp_path / "net.safetensors")
    assert all(torch.equal(v, repeated.state_dict()[k]) for k, v in course.network.state_dict().items())
    with pytest.raises(ValueError, match="pedbench train missing"):
        load_restoration(tmp_path / "missing.safetensors")
