"""Windows that stay at home: the same result, nothing of them sent, and what the detectors miss."""

import sys
from typing import Any

import numpy as np
import pytest

from pedbench.adversary.view import build_view, footprints
from pedbench.base import PluginUnavailable
from pedbench.checks.defenses import check_defense
from pedbench.measure.outcome import Outcome
from pedbench.models.sensitive_regions import FaceDetector, TextDetector
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.keep_sensitive_local import KeepSensitiveLocal
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.privacy.disclosure_audit import Audit
from pedbench.privacy.visibility import visible_mask
from pedbench.registry import Registry
from pedbench.scenes.render import render
from pedbench.suites.cell import Cell, PluginIdentity
from pedbench.types import Prior

pytestmark = pytest.mark.slow

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())

ORIGIN = Registry().origin("defenses", "keep_sensitive_local")


def keeping(*boxes: Any) -> KeepSensitiveLocal:
    """The defense with a detector that always finds the same."""
    defense = KeepSensitiveLocal()
    defense._detectors = [lambda pixels: list(boxes)]
    return defense


@pytest.mark.parametrize("size", [(1, 1), (0.75, 1), (1, 0.4)], ids=["square", "4:3", "tall"])
@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 0.2, 0.1), (0.3, 0.3, 0.1, 0.4), (0.0, 0.0, 1.0, 1.0), (2.0, 2.0, 1.0, 1.0)]
)
def test_the_result_is_that_of_ped_sam_and_kept_windows_are_not_sent(
    setting: Any, size: tuple[float, float], box: tuple[float, float, float, float]
) -> None:
    frame = setting.picture(*size)
    scaled = tuple(length * setting.side for length in box)
    done, seen, found = setting.judge(keeping(scaled), frame)
    expected = setting.run(PedSam(), frame)
    assert (done.embedding.features - expected.embedding.features).abs().max() < 1e-5
    assert found == Audit(whole_visible=(), invalid=())
    sent = footprints(seen, 3, frame.shape[:2])
    margin = setting.side / 160
    left, top = scaled[0] - margin, scaled[1] - margin
    right, bottom = scaled[0] + scaled[2] + margin, scaled[1] + scaled[3] + margin
    encoder = setting.networks.network("fine-tuned").image_encoder
    extent = encoder.blocks[0].window_size * encoder.patch_embed.proj.stride[0]
    for row in range(0, frame.shape[0], extent):
        for column in range(0, frame.shape[1], extent):
            end = min(row + extent, frame.shape[0]), min(column + extent, frame.shape[1])
            kept = row < bottom and end[0] > top and column < right and end[1] > left
            window = sent[:, row : end[0], column : end[1]]
            # To the server that ped_sam sends it to, or to none.
            assert window.any() == (not kept)
    plain = footprints(setting.judge(PedSam(), frame)[1], 3, frame.shape[:2])
    assert not (sent & ~plain).any()
    view = build_view(
        seen, (0, 1, 2), frame_size=frame.shape[:2], disclosure="exact", description={}, prior=PRIOR
    )
    assert np.array_equal(visible_mask(view, frame), sent.any(axis=0))


def test_touched_windows_against_every_pixel() -> None:
    grid = WindowGrid(tokens=(16, 16), window=5, patch=2)
    rng = np.random.default_rng(0)
    for _ in range(30):
        frame = tuple(rng.integers(8, 33, 2).tolist())
        x, y, width, height = rng.integers(-6, 30, 4).tolist()
        box = (x, y, abs(width), abs(height))
        pixels = np.zeros(frame, np.bool_)
        pixels[max(y - 1, 0) : max(y + box[3] + 1, 0), max(x - 1, 0) : max(x + box[2] + 1, 0)] = True
        expected = [w for w in grid.active(frame) if pixels[grid.tile(w, frame).slices].any()]
        assert list(grid.touched([box], frame, margin=1)) == expected


def test_without_preparation_nothing_is_sent(mini: Any) -> None:
    with pytest.raises(RuntimeError, match="before prepare"):
        mini.run(KeepSensitiveLocal(), mini.picture())
    assert mini.servers.collect() == [[], [], []]


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing would be kept"):
        KeepSensitiveLocal(faces=False, text=False)
    with pytest.raises(ValueError, match="at least one"):
        KeepSensitiveLocal(servers=0)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(PluginUnavailable, match=r"pedbench\[probes\].*text=False"):
        KeepSensitiveLocal().prepare("cpu")
    KeepSensitiveLocal(text=False).prepare("cpu")
    outcomes = {found.rule: found for found in check_defense(KeepSensitiveLocal(), ORIGIN)}
    assert "pedbench[probes]" in outcomes["preparation"].skipped
    assert not any(found.problem for found in outcomes.values())
    total = Outcome()
    with total.giving_up([cell := make_cell()], "warming up"):
        KeepSensitiveLocal().prepare("cpu")
    assert total.problems[cell.cell_id][0] == "skipped"
    assert "pedbench[probes]" in total.problems[cell.cell_id][1]


def make_cell() -> Cell:
    return Cell(
        kind="utility",
        dataset="",
        revision="",
        selection="",
        model="",
        weights="",
        defense=PluginIdentity(name="", version=1),
        seed=0,
    )


def shares(kind: str, detector: Any, scenes: range) -> tuple[float, float]:
    """Return the shares of secrets that lie in kept windows alone, and of kept windows, in training scenes."""
    grid = WindowGrid(tokens=(20, 20), window=4, patch=16)
    whole, secrets, kept, windows = 0, 0, 0, 0
    for index in scenes:
        scene = render(1, index, "train")
        size = (scene.image.shape[0], scene.image.shape[1])
        home = set(grid.touched(detector(scene.image), size, margin=2))
        kept, windows = kept + len(home), windows + len(grid.active(size))
        for secret in scene.secrets:
            if secret.kind == kind:
                secrets += 1
                whole += set(grid.touched([secret.box], size)) <= home
    assert secrets >= 8
    return whole / secrets, kept / windows


@pytest.mark.long
def test_detectors_find_most_secrets_and_keep_few_windows() -> None:
    recall, kept = shares("face", FaceDetector(), range(60, 80))
    assert recall >= 0.85
    assert kept < 0.35
    pytest.importorskip("rapidocr")
    recall, kept = shares("text", TextDetector(), range(60, 72))
    assert recall >= 0.95
    assert kept < 0.3


@pytest.mark.parametrize("size", [(320, 3), (3, 320), (8, 8), (240, 320)])
def test_detectors_stand_any_shape_and_calm_pictures(size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), 90, np.uint8)
    assert FaceDetector()(flat) == []
    pytest.importorskip("rapidocr")
    assert TextDetector()(flat) == []


def test_boxes_are_in_the_pictures_own_pixels() -> None:
    pytest.importorskip("rapidocr")
    scene = render(1, 2, "train")
    secret = next(secret for secret in scene.secrets if secret.kind == "text")
    left, top, width, height = secret.box
    centre = left + width / 2, top + height / 2
    found = TextDetector()(to_uint8(from_uint8(scene.image)))
    assert any(x < centre[0] < x + w and y < centre[1] < y + h for x, y, w, h in found)
