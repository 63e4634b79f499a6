"""The probe that captions, on what it is asked, and what its captions are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.checks import broken_rules
from pedbench.errors import MissingWeightsError
from pedbench.measure.probe_reader import Reader
from pedbench.privacy.claims import held_against, planted
from pedbench.privacy.pieces import Piece
from pedbench.probes.captions import Captions
from pedbench.results.claim_summary import claim_metrics, mistrusted
from pedbench.types import Instance, Sample


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_captioner: Any) -> Path:
    path = tmp_path_factory.mktemp("blip")
    tiny_captioner(path)
    return path


def test_it_keeps_the_rules_and_names_its_files(folder: Path) -> None:
    probe = Captions(model=str(folder))
    assert broken_rules(probe) == []
    assert probe.files == (folder,)


def test_without_a_model_it_says_so() -> None:
    with pytest.raises(MissingWeightsError, match=r"no captioner .*looked for /nowhere/blip/config\.json"):
        Captions(model="/nowhere/blip").prepare("cpu")


def test_a_tile_is_captioned_as_a_whole_and_one_colour_not_at_all(folder: Path) -> None:
    reader = Reader(Captions(model=str(folder)), "cpu")
    tile = np.random.default_rng(1).random((64, 48, 3)).astype(np.float32)
    (claim,) = reader.read(Piece(picture=tile, top=20, left=30), (240, 320))
    assert (claim.kind, claim.box) == ("caption", (30, 20, 48, 64))
    assert claim.content
    assert reader.read(Piece(picture=np.full_like(tile, 0.3), top=0, left=0), (240, 320)) == []


def sample(*categories: str) -> Sample:
    mask = np.zeros((240, 320), np.bool_)
    mask[50:100, 60:120] = True
    instances = (Instance(id=n, category=each, mask=mask, area=3000) for n, each in enumerate(categories))
    small = Instance(id=99, category="spoon", mask=mask, area=1023)
    return Sample(id="a", image=np.zeros((240, 320, 3), np.float32), instances=(*instances, small))


def test_each_category_counts_once() -> None:
    found = planted(sample("cup", "person", "cup"), "caption", (120, 160))
    assert {number: (each.content, each.box) for number, each in found.items()} == {
        0: ("cup", (0, 0, 160, 120)),
        1: ("person", (0, 0, 160, 120)),
    }


def test_recall_relates_to_the_caption_of_the_picture_itself() -> None:
    def said(*sentences: str) -> list[float]:
        secrets = planted(sample("cup", "person", "tv"), "caption", (240, 320)).values()
        claims = [claim_of(sentence) for sentence in sentences]
        return [held_against(secret, claims)["categories named"] for secret in secrets]

    itself, tiles = said("A man with two cups."), said("a blue wall", "a woman in a room")
    assert (itself, tiles, said()) == ([1, 1, 0], [0, 1, 0], [0, 0, 0])
    values = pd.DataFrame(
        {"image": "a", "annotation": [0, 1, 2] * 2, "servers": [""] * 3 + ["0"] * 3, "value": itself + tiles}
        | {"metric": ["categories named[undefended]"] * 3 + ["categories named[tiles]"] * 3}
    )
    assert mistrusted(values) == ""
    found = {(each.name, each.region): each.value for each in claim_metrics(values)}
    assert found["categories named[tiles]", "planted"] == pytest.approx(1 / 3)
    assert found["categories named[tiles]", "relative"] == pytest.approx(1 / 2)
    blind = values.assign(value=0.0)
    assert mistrusted(blind).startswith(
        "finds 0.00 of 1 pictures with known objects in the undefended pictures"
    )


def claim_of(sentence: str) -> Any:
    from pedbench.base import Claim

    return Claim(kind="caption", content=sentence, box=(0, 0, 320, 240), confidence=1.0)
