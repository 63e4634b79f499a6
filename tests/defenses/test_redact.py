"""Redaction: exactly what lies outside the boxes is sent and visible, and the misses count."""

from typing import Any

import numpy as np
import pytest

from pedbench.adversary.view import build_view
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sensitive_regions import ScreenDetector
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.plugins.attacks.nearest_pixel import NearestPixel
from pedbench.plugins.defenses.redact import Redact
from pedbench.privacy.disclosure_audit import Audit
from pedbench.privacy.visibility import visible_mask
from pedbench.scenes.render import render
from pedbench.types import Prior

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())

BOXES = {
    "none": [],
    "two that overlap": [(40.2, 30.0, 60.0, 20.0), (80.0, 40.0, 30.0, 90.9)],
    "beyond the frame": [(-30.0, -20.0, 10.0, 10.0), (300.0, 200.0, 90.0, 90.0), (-5.0, 100.0, 40.0, 8.0)],
    "everything": [(0.0, 0.0, 400.0, 400.0)],
}


def finding(boxes: Any) -> Redact:
    """The defense with a detector that always finds the same."""
    defense = Redact()
    defense._detectors = [lambda pixels: boxes]
    return defense


@pytest.mark.parametrize("case", BOXES)
def test_what_lies_outside_the_boxes_is_sent_and_visible_and_no_more(mini: Any, case: str) -> None:
    frame, boxes = mini.picture(), BOXES[case]
    rows, columns = (np.arange(length) for length in (240, 320))
    hidden = np.zeros((240, 320), np.bool_)
    for x, y, width, height in boxes:
        # The margin is 2 px; a pixel that a box touches is hidden.
        inside = [
            (places + 1 > start - 2) & (places < start + length + 2)
            for places, start, length in ((rows, y, height), (columns, x, width))
        ]
        hidden |= np.outer(*inside)
    done, seen, found = mini.judge(finding(boxes), frame)
    assert found == Audit(whole_visible=(), invalid=())
    (message,) = done.received
    assert not message.payload["pixels"][hidden].any()
    view = build_view(seen, (0,), frame_size=(240, 320), disclosure="exact", description={}, prior=PRIOR)
    assert np.array_equal(visible_mask(view, frame), ~hidden)
    assert np.array_equal(view.canvas()[1], ~hidden)
    guess = NearestPixel().reconstruct(view, np.random.default_rng(0))
    assert np.array_equal(guess[~hidden], frame[~hidden])
    network = mini.networks.network("original")
    grey = to_uint8(frame).copy()
    grey[hidden] = 128
    expected = network.image_encoder(preprocess(network, grey))
    assert (done.embedding.features - expected).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("boxes", "carried"),
    [
        # The lowest bits of what should be zero, and two ways to write one region.
        ([(8, 8, 16, 16)], 1),
        ([(8, 8, 16, 12), (8, 8, 16, 16)], 0),
        ([(8, 8, 16, 16), (9, 9, 10, 10)], 0),
        ([(8, 8, 500, 16)], 0),
    ],
)
def test_boxes_and_what_they_hide_can_carry_nothing(mini: Any, boxes: Any, carried: int) -> None:
    operation = mini.servers.operations["encode_redacted"]
    pixels = np.full((32, 32, 3), 200, np.uint8)
    for top, left, bottom, right in boxes:
        pixels[top:bottom, left:right] = carried
    with pytest.raises(ValueError, match=r"carry something|as `rectangles` returns"):
        operation.observe({"pixels": pixels, "boxes": np.array(boxes, np.int32)}, {}, mini.networks, 0, 0)


def test_without_preparation_nothing_is_sent_and_wrong_parameters_are_refused(mini: Any) -> None:
    with pytest.raises(RuntimeError, match="before prepare"):
        mini.run(Redact(), mini.picture())
    assert mini.servers.collect() == [[], [], []]
    with pytest.raises(ValueError, match="nothing would be redacted"):
        Redact(faces=False, text=False, screens=False)
    with pytest.raises(ValueError, match="margin"):
        Redact(margin=-0.1)


@pytest.mark.slow
def test_screens_of_scenes_are_found() -> None:
    detector, found, screens = ScreenDetector(), 0, 0
    for index in range(12):
        scene = render(1, index, "train")
        boxes = detector(to_uint8(from_uint8(scene.image)))
        for item in scene.objects:
            if item.category in ("laptop", "monitor", "phone", "tablet") and item.mask.sum() >= 32**2:
                rows, columns = np.nonzero(item.mask)
                centre = columns.mean(), rows.mean()
                screens += 1
                found += any(x < centre[0] < x + w and y < centre[1] < y + h for x, y, w, h in boxes)
    assert screens >= 5
    assert found >= 0.8 * screens
