"""The suite `claims`: enough words and faces, in pictures of no other suite, chosen by what is planted in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.base import Dataset
from pedbench.registry import Registry
from pedbench.suites.files import load_suite, suite_names
from pedbench.suites.resolve import Overrides, resolve

REGISTRY = Registry()


def dataset(suite: str) -> Dataset:
    choice = load_suite(suite).dataset
    found: Dataset = REGISTRY.create("datasets", choice.name, choice.params)
    return found


@pytest.mark.slow
def test_there_are_enough_planted_words_and_faces() -> None:
    pictures = dataset("claims")
    planted = [[secret.kind for secret in pictures[index].secrets] for index in range(len(pictures))]
    assert all({"text", "face"} <= set(kinds) for kinds in planted)
    words, faces = (sum(kinds.count(kind) for kinds in planted) for kind in ("text", "face"))
    assert words >= 100
    assert faces >= 60
    # As the suite's file and docs/guide/suites.md say.
    assert (len(planted), words, faces) == (50, 121, 64)
    for place in (Path("pedbench/suites/claims.toml"), Path("docs/guide/suites.md")):
        assert "121 words and 64 faces" in (Path(__file__).parents[2] / place).read_text(encoding="utf-8")


def test_no_other_suite_has_its_pictures() -> None:
    others = [
        name for name in suite_names() if name != "claims" and "scenes" in load_suite(name).dataset.name
    ]
    assert "mini" in others
    assert dataset("claims").revision not in {dataset(name).revision for name in others}


def test_every_probe_reads_every_picture() -> None:
    suite = resolve(load_suite("claims"), Overrides(), REGISTRY)
    assert {probe.name for probe in suite.probes} == {"ocr", "faces"}
    for probe in suite.probes:
        assert probe.limit is None
        assert {"deblur", "completion"} <= set(probe.attacks)
    assert suite.dataset.limit is None
    assert not any(choice.limit for choice in suite.attacks)
    assert {choice.name for choice in suite.defenses if choice.limit} == {"random_payload"}
    assert all(choice.privacy for choice in suite.defenses)
