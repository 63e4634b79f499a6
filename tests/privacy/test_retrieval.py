"""Retrieval: ranks by hand, views by what they hold, chance by drawing, and a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.privacy.retrieval import chance, make_gallery, ranked
from pedbench.registry import Registry
from pedbench.report.numbers.retrieval import retrieval
from pedbench.report.numbers.tidy import privacy
from pedbench.results.run import load
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import Suite
from pedbench.types import Patch, Picture, Prior, View
from tests.conftest import SMALL

SIZE = (120, 160)
"""Twice the copies' size."""

RNG = np.random.default_rng(0)
FRAMES: list[Picture] = [RNG.random((*SIZE, 3), dtype=np.float32) for _ in range(6)]
GALLERY = make_gallery((str(index), frame) for index, frame in enumerate(FRAMES))
PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


def view(index: int, top: int, left: int, height: int, width: int, *, noise: float = 0) -> View:
    tile = FRAMES[index][top : top + height, left : left + width]
    noisy = np.clip(tile + RNG.normal(0, noise, tile.shape), 0, 1).astype(np.float32)
    patch = (Patch(picture=noisy, top=top, left=left, server=0),)
    return View(frame_size=SIZE, prior=PRIOR, patches=() if noise else patch, degraded=patch if noise else ())


def test_ranks_with_ties_broken_by_chance() -> None:
    assert ranked([3.0, 1.0, 2.0], 1) == (1, 1)
    assert tuple(ranked([3.0, 1.0, 2.0], 0)) == pytest.approx((0, 1 / 3))
    assert tuple(ranked([2.0, 1.0, 2.0, 2.0], 0)) == pytest.approx((0, (1 / 2 + 1 / 3 + 1 / 4) / 3))
    rng = np.random.default_rng(1)
    positions = rng.integers(1, 21, 20_000)
    assert chance(20).first == pytest.approx(np.mean(positions == 1), abs=0.005)
    assert chance(20).reciprocal == pytest.approx(np.mean(1 / positions), abs=0.005)
    assert chance(200).reciprocal == pytest.approx(sum(1 / rank for rank in range(1, 201)) / 200)


def test_a_view_finds_its_picture_by_what_it_holds() -> None:
    for index in range(6):
        for held in (
            view(index, 10, 20, 30, 40),
            view(index, 0, 0, 2, 2),
            view(index, 40, 40, 64, 64, noise=0.3),
        ):
            assert GALLERY.find_view(str(index), held) == (1, 1)
    # The place counts: the same pixels elsewhere are another picture's, or nobody's.
    moved = view(0, 10, 20, 30, 40).patches[0]
    elsewhere = View(
        frame_size=SIZE,
        prior=PRIOR,
        patches=(Patch(picture=moved.picture, top=60, left=60, server=0),),
    )
    ranks = [GALLERY.find_view(str(index), elsewhere) for index in range(6)]
    assert sum(found.first for found in ranks if found) == 1


def test_a_view_that_holds_no_cell_in_full_is_not_searched_with() -> None:
    assert GALLERY.find_view("0", View(frame_size=SIZE, prior=PRIOR)) is None
    assert GALLERY.find_view("0", view(0, 1, 1, 2, 2)) is None


def test_guesses_are_searched_with_as_a_whole() -> None:
    """Against distances of the pictures' means over 2 x 2 cells, computed with NumPy."""
    cells = np.stack([frame.reshape(60, 2, 80, 2, 3).mean(axis=(1, 3)) for frame in FRAMES])
    for weight in (0.4, 0.5, 0.6):
        guess = ((1 - weight) * FRAMES[0] + weight * FRAMES[1]).astype(np.float32)
        small = guess.reshape(60, 2, 80, 2, 3).mean(axis=(1, 3))
        distances = np.sqrt(np.square(cells - small).mean(axis=(1, 2, 3)))
        for index in range(6):
            rank = 1 + np.sum(distances < distances[index])
            if weight != 0.5:
                assert GALLERY.find_guess(str(index), guess).reciprocal == pytest.approx(1 / rank)
    same = np.full((*SIZE, 3), 0.5, np.float32)
    reciprocals = [GALLERY.find_guess(str(index), same).reciprocal for index in range(6)]
    assert sum(reciprocals) == pytest.approx(6 * chance(6).reciprocal)


def test_pictures_of_other_shapes_are_compared_at_the_guesss_size() -> None:
    tall = make_gallery([("tall", FRAMES[0].transpose(1, 0, 2).copy()), ("wide", FRAMES[1])])
    assert tall.find_guess("wide", FRAMES[1]) == (1, 1)


def test_features_are_compared_by_their_angle() -> None:
    """With features that are the mean colours of quarters, against distances computed with NumPy."""

    def quarters(picture: Picture) -> Any:
        vector = picture.reshape(2, 60, 2, 80, 3).mean(axis=(1, 3)).ravel() - 0.5
        return vector / np.linalg.norm(vector)

    gallery = make_gallery([(str(index), frame) for index, frame in enumerate(FRAMES)], quarters)
    guess = (0.3 * FRAMES[2] + 0.4 * FRAMES[4] + 0.3 * RNG.random((*SIZE, 3))).astype(np.float32)
    angles = [float(np.arccos(quarters(frame) @ quarters(guess))) for frame in FRAMES]
    for index in range(6):
        rank = 1 + np.sum(np.array(angles) < angles[index])
        assert gallery.find_guess(str(index), guess).reciprocal == pytest.approx(1 / rank)
        assert gallery.find_guess(str(index), FRAMES[index]) == (1, 1)
    # What is not held has the mean colour of what is.
    held = view(3, 0, 0, 60, 160)
    filled = FRAMES[3].copy()
    filled[60:] = filled[:60].mean(axis=(0, 1))
    assert gallery.find_view("5", held) == gallery.find_guess("5", filled)
    assert gallery.find_view("0", View(frame_size=SIZE, prior=PRIOR)) is None


GALLERY_OF_8: dict[str, Any] = {"name": "scenes", "params": {"count": 8}, "limit": 8}


@pytest.mark.long
def test_a_run_with_a_gallery(run_small: Any, tmp_path: Any) -> None:
    done = run_small(tmp_path, report=True, gallery=GALLERY_OF_8, metrics=["root_mean_square_error"])
    assert {record.status for record in done.records} == {"ok"}, done.said
    frame = retrieval(privacy(load(done.directory)))
    assert set(frame["gallery"]) == {8}
    found: dict[Any, Any] = dict(iter(frame.groupby("defense")))
    assert {len(rows) for rows in found.values()} == {2}
    for numbers in ("view_first_value", "guess_first_value"):
        assert found["full_offload"][numbers].tolist() == [1, 1]
    assert found["ped_sam"]["view_first_value"].tolist() == [1, 1]
    assert found["on_device"]["view_first_value"].isna().all()
    # What is guessed without a view is the same for every picture, or ignores them.
    blind = done.values(done.of("on_device", attack="mean_colour")[0])
    names = blind["metric"].tolist()
    assert names.count("rank-1 of 8") == names.count("reciprocal rank of 8") == 2
    report = (done.directory / "report.md").read_text()
    assert "### Retrieval among 8, c = 1 (m = 3); chance: rank-1 0.125, MRR 0.340" in report
    assert "gallery" in done.of("ped_sam", attack="")[0].cell
    assert "gallery" not in done.of("ped_sam", "utility")[0].cell


@pytest.mark.long
def test_a_run_with_a_gallery_that_a_network_compares(run_small: Any, tmp_path: Path, tiny_vit: Any) -> None:
    tiny_vit(tmp_path / "tiny-vit")
    done = run_small(
        tmp_path / "run",
        report=True,
        gallery=GALLERY_OF_8 | {"model": str(tmp_path / "tiny-vit")},
        metrics=["root_mean_square_error"],
        defenses=[{"name": "on_device"}, {"name": "full_offload"}],
        attacks=["mean_colour"],
    )
    assert {record.status for record in done.records} == {"ok"}, done.said
    frame = retrieval(privacy(load(done.directory)))
    found: dict[Any, Any] = dict(iter(frame.groupby("defense")))
    assert found["full_offload"]["view_first_value"].tolist() == [1, 1]
    assert found["on_device"]["view_first_value"].isna().all()
    report = (done.directory / "report.md").read_text()
    assert "### Retrieval among 8 by tiny-vit, c = 1 (m = 3); chance: rank-1 0.125, MRR 0.340" in report


@pytest.mark.slow
def test_what_compares_is_part_of_the_identity(tmp_path: Path, tiny_vit: Any) -> None:
    from pedbench.models.sam.family import MINI
    from pedbench.suites.planning import make_plan

    def identity(**changes: Any) -> str | None:
        suite = Suite.model_validate(SMALL | {"gallery": GALLERY_OF_8 | changes})
        resolved = resolve(suite, Overrides(), Registry())
        (cell,) = {cell.gallery for cell in make_plan(resolved, Registry(), MINI).cells() if cell.gallery}
        return cell

    tiny_vit(tmp_path / "vit")
    copies, features = identity(), identity(model=str(tmp_path / "vit"))
    (tmp_path / "vit" / "model.safetensors").write_bytes(b"other weights")
    assert len({copies, features, identity(model=str(tmp_path / "vit"))}) == 3


def test_a_gallery_must_hold_the_pictures(run_small: Any, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="1 of its 2 pictures are not among them"):
        run_small(tmp_path / "1", gallery=GALLERY_OF_8 | {"limit": 1})
    with pytest.raises(ValueError, match="must hold the pictures"):
        run_small(tmp_path / "2", gallery=GALLERY_OF_8 | {"params": {"count": 8, "split": "train"}})


def test_another_dataset_has_no_gallery() -> None:
    suite = Suite.model_validate(SMALL | {"gallery": GALLERY_OF_8})
    assert resolve(suite, Overrides(), Registry()).gallery is not None
    assert resolve(suite, Overrides(dataset="coco"), Registry()).gallery is None
