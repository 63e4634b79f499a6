"""Hosted inpainting: what services get, what comes back, and what is kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.adversary.hosted.exchange import Exchange
from pedbench.adversary.hosted.firefly import Firefly
from pedbench.adversary.hosted.image_edits import ImageEdits
from pedbench.adversary.hosted.uploads import make_upload, paste_reply, png
from pedbench.base import Hosted
from pedbench.inversion.read_out import fill_with_nearest
from pedbench.types import Patch
from tests.adversary.hosted_painting import PLACES, Time, asking, frame, painter, view
from tests.adversary.hosted_services import COLOUR, Services


@pytest.mark.parametrize("provider", PLACES)
def test_a_service_paints_what_is_hidden_and_the_rest_stays(
    services: Services, time: Time, provider: str
) -> None:
    truth = frame()
    found = painter(time).paint(asking(services, provider, prompt="a desk", samples=2), view(truth))
    assert len(found) == 2 == services.paid()
    for picture in found:
        assert picture.shape == truth.shape
        assert picture.dtype == np.float32
        np.testing.assert_array_equal(picture[:24, :32], truth[:24, :32])
        # Away from the border, which resampling blurs.
        assert np.abs(picture[30:, 40:] - np.array(COLOUR) / 255).max() < 0.02
    image, hidden = services.painted[0]
    square = provider == "image_edits"
    assert hidden.mean() == (1 - 0.25 * 0.75 if square else 0.75)
    assert image.shape[:2] == ((128, 128) if square else (96, 128))
    assert services.fields[0]["prompt"] == "a desk"
    if provider != "image_edits":
        seeds = [form.get("seeds", form.get("seed")) for form in services.fields]
        assert seeds[0] != seeds[1]


@pytest.mark.parametrize("size", [(48, 64), (100, 31), (9, 9)])
@pytest.mark.parametrize("canvas", [(96, 128), (40, 40), (256, 64)])
def test_a_picture_that_comes_back_as_it_went_is_the_filled_frame(
    size: tuple[int, int], canvas: tuple[int, int]
) -> None:
    """Smooth pictures survive resampling both ways, and nothing hidden is given out as visible."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    smooth = np.stack([rows / size[0], columns / size[1], 0 * rows + 0.4], axis=-1).astype(np.float32)
    seen = view(smooth)
    upload = make_upload(seen, canvas)
    assert upload.hidden.shape == canvas == upload.picture.shape[:2]
    back = paste_reply(png(upload.picture), upload, seen)
    assert np.abs(back - fill_with_nearest(seen)).mean() < 0.03
    ends = (np.argwhere(~upload.hidden) + 1) * np.array(size) / upload.inner
    assert (ends.max(axis=0) <= np.array(size) // 2 + 1e-9).all()


@pytest.mark.parametrize("provider", PLACES)
def test_what_is_uploaded_depends_on_the_view_alone(services: Services, time: Time, provider: str) -> None:
    """Two truths that differ where nothing was received: not a byte of any request differs."""
    first, second = frame(0), frame(1)
    second[:24, :32] = first[:24, :32]
    sent: list[Any] = []
    for truth in (first, second):
        services.bodies.clear()
        hosted = asking(services, provider)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PEDBENCH_HOME", f"{os.environ['PEDBENCH_HOME']}-{len(sent)}")
            painter(time).paint(hosted, view(truth))
        sent.append(
            {path: [_without_ids(body) for body in bodies] for path, bodies in services.bodies.items()}
        )
    assert sent[0] == sent[1]
    # OpenAI's endpoint wants some prompt.
    assert bool(services.fields[0].get("prompt")) == (provider == "image_edits")


def _without_ids(body: bytes) -> bytes:
    return body if not body.startswith(b"{") else b"{" + body[body.index(b'"seeds"') : body.index(b'"image"')]


def test_an_answer_is_kept_and_its_request_not_sent_again(services: Services, time: Time) -> None:
    hosted = asking(services, "form", samples=2)
    first = painter(time).paint(hosted, view(frame()))
    second = painter(time).paint(replace(hosted, samples=1), view(frame()))
    np.testing.assert_array_equal(second[0], first[0])
    assert services.paid() == 2
    painter(time).paint(replace(hosted, prompt="other", samples=1), view(frame()))
    painter(time).paint(replace(hosted, samples=1), view(frame(1)))
    assert services.paid() == 4
    home = Path(os.environ["PEDBENCH_HOME"])
    assert (home / "hosted" / "replies").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("frame_size", "expected"),
    [
        ((320, 320), (1024, 1024)),
        ((240, 320), (1024, 1536)),
        ((320, 200), (1536, 1024)),
        ((300, 320), (1024, 1024)),
    ],
)
def test_sizes_are_those_that_a_model_takes(frame_size: tuple[int, int], expected: tuple[int, int]) -> None:
    exchange = Exchange(keys={}, spend=lambda: None, per_minute=1)
    assert ImageEdits(hosted=Hosted(provider="image_edits"), exchange=exchange).size(frame_size) == expected
    height, width = Firefly(hosted=Hosted(provider="firefly"), exchange=exchange).size(frame_size)
    assert max(height, width) == 1024
    assert height / width == pytest.approx(frame_size[0] / frame_size[1], rel=0.02)


def test_nothing_is_sent_where_there_is_nothing_to_paint_or_to_go_by(services: Services, time: Time) -> None:
    whole = view(frame())
    patch = Patch(picture=frame(), top=0, left=0, server=0)
    for each in (whole.blind(), replace(whole, patches=(patch,))):
        assert painter(time).paint(asking(services, "form"), each) == ()
    assert services.paths == []
