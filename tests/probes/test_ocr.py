"""The reader of words on scenes and on words that windows cut."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pedbench.base import ProbeUnavailable
from pedbench.measure.probe_reader import Reader
from pedbench.models.text_lines import TextLine
from pedbench.privacy.claims import held_against, planted
from pedbench.privacy.pieces import Piece, pieces
from pedbench.probes.ocr import Ocr, _words
from pedbench.types import Patch, Picture, Prior, Secret, View


@pytest.fixture(scope="module")
def reader() -> Reader:
    pytest.importorskip("rapidocr")
    return Reader(Ocr(), "cpu")


@pytest.mark.long
def test_most_planted_words_are_read_in_undefended_scenes(reader: Reader) -> None:
    from pedbench.plugins.datasets.scenes import Scenes

    dataset, read = Scenes(split="val"), []
    for index in range(24):
        sample = dataset[index]
        size = (sample.image.shape[0], sample.image.shape[1])
        secrets = planted(sample, "text", size).values()
        claims = reader.read(Piece(picture=sample.image, top=0, left=0), size)
        read += [held_against(secret, claims)["words read"] for secret in secrets]
    assert len(read) > 30
    assert np.mean(read) >= 0.9


def test_a_picture_of_nothing_says_nothing(reader: Reader) -> None:
    for shade in (0.0, 0.5):
        piece = Piece(picture=np.full((64, 64, 3), shade, np.float32), top=0, left=0)
        assert reader.read(piece, (240, 320)) == []


def test_a_word_across_a_border_is_read_by_who_has_both_sides(reader: Reader) -> None:
    frame, secret = _frame("HARBOR", left=104, top=80)
    tiles = [Patch(picture=frame[64:128, 64:128], top=64, left=64, server=0),
             Patch(picture=frame[64:128, 128:192], top=64, left=128, server=1)]  # fmt: skip

    def values(*servers: int) -> dict[str, float]:
        view = View(
            frame_size=(240, 320),
            patches=tuple(tile for tile in tiles if tile.server in servers),
            prior=Prior(pictures=(), mean_colour=np.zeros(3, np.float32)),
        )
        return held_against(
            secret, [claim for piece in pieces(view) for claim in reader.read(piece, (240, 320))]
        )

    assert values() == {"words read": 0, "character error rate": 1}
    # Each holds three of the six letters.
    for server in (0, 1):
        assert values(server) == {"words read": 0, "character error rate": pytest.approx(0.5, abs=0.17)}
    assert values(0, 1) == {"words read": 1, "character error rate": 0}


def _frame(word: str, left: int, top: int) -> tuple[Picture, Secret]:
    """A word in capitals 12 px high, as scenes have them."""
    image = Image.new("RGB", (320, 240), (200, 190, 170))
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(_font(), 16)
    draw.text((left, top), word, font=font, fill=(20, 20, 40))
    x, y, right, bottom = draw.textbbox((left, top), word, font=font)
    secret = Secret(kind="text", content=word, box=(x, y, right - x, bottom - y))
    return np.asarray(image).astype(np.float32) / np.float32(255), secret


def _font() -> str:
    from importlib.resources import files

    return str(files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")


def test_a_line_is_claimed_as_a_whole_and_by_its_words() -> None:
    claims = list(_words(TextLine(box=(10, 5, 80, 10), text="an old an", confidence=0.9)))
    assert [(claim.content, claim.box) for claim in claims] == [
        ("an old an", (10, 5, 80, 10)),
        ("an", (10, 5, pytest.approx(80 * 2 / 9), 10)),
        ("old", (pytest.approx(10 + 80 * 3 / 9), 5, pytest.approx(80 * 3 / 9), 10)),
        ("an", (pytest.approx(10 + 80 * 7 / 9), 5, pytest.approx(80 * 2 / 9), 10)),
    ]
    (claim,) = _words(TextLine(box=(10, 5, 80, 10), text="old", confidence=0.9))
    assert (claim.content, claim.box) == ("old", (10, 5, 80, 10))
    assert not list(_words(TextLine(box=(10, 5, 80, 10), text="", confidence=0.9)))


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ProbeUnavailable, match=r"cannot be loaded .*pedbench\[probes\]"):
        Ocr().prepare("cpu")
    assert "pedbench[probes]" in Reader(Ocr(), "cpu").unavailable
