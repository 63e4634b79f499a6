"""The reader of cut words on pictures of words that end at a border."""

from __future__ import annotations

import sys
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pedbench.base import Claim, ProbeUnavailable
from pedbench.measure.probe_reader import Reader
from pedbench.privacy.claims import held_against
from pedbench.privacy.pieces import Piece
from pedbench.probes.ocr import Ocr
from pedbench.probes.partial_words import PartialWords
from pedbench.types import Picture, Secret


@pytest.fixture(scope="module")
def reader() -> Reader:
    pytest.importorskip("rapidocr")
    pytest.importorskip("spellchecker")
    return Reader(PartialWords(), "cpu")


def _frame(word: str, left: int) -> tuple[Picture, Secret]:
    """A word in capitals 12 px high, as scenes have them."""
    image = Image.new("RGB", (320, 240), (200, 190, 170))
    draw = ImageDraw.Draw(image)
    fonts = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(str(fonts), 16)
    draw.text((left, 80), word, font=font, fill=(20, 20, 40))
    x, y, right, bottom = draw.textbbox((left, 80), word, font=font)
    secret = Secret(kind="text", content=word, box=(x, y, right - x, bottom - y))
    return np.asarray(image).astype(np.float32) / np.float32(255), secret


def _claims(reader: Reader, frame: Picture, left: int) -> list[Claim]:
    return reader.read(Piece(picture=frame[64:128, left : left + 64], top=64, left=left), (240, 320))


@pytest.mark.parametrize(("word", "left"), [("WINDOW", 80), ("KITCHEN", 80), ("WINDOW", 40), ("MARKET", 48)])
def test_a_word_cut_by_a_border_is_completed(reader: Reader, word: str, left: int) -> None:
    frame, secret = _frame(word, left)
    claims = _claims(reader, frame, 64)
    simple = _claims(Reader(Ocr(), "cpu"), frame, 64)
    assert held_against(secret, simple)["words read"] == 0
    assert held_against(secret, claims) == {"words read": 1, "character error rate": 0}
    # One guess more than was read, in the fragment's place.
    assert claims[: len(simple)] == simple
    (guess,) = claims[len(simple) :]
    assert guess.box == simple[0].box
    assert 0 < guess.confidence < simple[0].confidence


def test_words_inside_the_border_and_numbers_get_no_guesses(reader: Reader) -> None:
    for word, left in (("WIND", 76), ("274183", 90)):
        frame, _ = _frame(word, left)
        claims = _claims(reader, frame, 64)
        assert claims
        assert claims == _claims(Reader(Ocr(), "cpu"), frame, 64)


def test_the_number_of_guesses_is_that_of_the_parameter() -> None:
    pytest.importorskip("rapidocr")
    frame, _ = _frame("WINDOW", 80)
    counts = [len(_claims(Reader(PartialWords(guesses=each), "cpu"), frame, 64)) for each in (1, 4)]
    assert counts == [2, 5]
    with pytest.raises(ValueError, match="guesses must be at least 1, found 0"):
        PartialWords(guesses=0)


def test_without_the_lexicon_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr")
    monkeypatch.setitem(sys.modules, "spellchecker", None)
    with pytest.raises(ProbeUnavailable, match=r"pyspellchecker cannot be loaded .*pedbench\[probes\]"):
        PartialWords().prepare("cpu")
