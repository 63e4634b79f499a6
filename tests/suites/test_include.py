"""Suites that start from another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pedbench.suites.files import SuiteError, load_suite, to_toml

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "suites.md"

OWN = 'name = "own"\nversion = 1\n'


def test_the_example_of_the_guide_starts_from_mini(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml own_mini.toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "own_mini.toml").write_text(blocks[0])
    mini, own = load_suite("mini"), load_suite(str(tmp_path / "own_mini.toml"))
    assert (own.name, own.version, own.seed, own.dataset.limit) == ("own_mini", 1, 7, 4)
    assert own.dataset.params == mini.dataset.params
    kept = [choice for choice in mini.defenses if choice.name != "pixelate"]
    assert own.defenses[:-1] == kept
    assert own.defenses[-1].name == "token_noise"
    names = [choice.name for choice in mini.attacks if choice.name != "diffusion_inpaint"]
    assert [choice.name for choice in own.attacks] == [*names, "patch_inversion"]
    assert (own.metrics, own.latency, own.coalitions) == (mini.metrics, mini.latency, mini.coalitions)
    # Paths are relative to the file, and what is written is whole.
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "own.toml").write_text(f'include = "../own_mini.toml"\n{OWN}drop = ["deblur"]')
    deeper = load_suite(str(tmp_path / "deeper" / "own.toml"))
    assert [probe.attacks for probe in deeper.probes] == [["completion"], []]
    assert "deblur" not in to_toml(deeper)
    assert "include" not in to_toml(deeper)


def test_frontier_reads_words_in_the_pictures_that_mini_reads() -> None:
    mini, frontier = (
        {probe.name: probe for probe in load_suite(name).probes} for name in ("mini", "frontier")
    )
    # A report joins both, and compares words read across them.
    assert frontier["ocr"] == mini["ocr"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (f'include = "minni"\n{OWN}', r"own.toml: include: .*no suite named 'minni' .*'mini'"),
        (f'include = "absent.toml"\n{OWN}', "own.toml: include: there is no suite file .*absent.toml"),
        (f'include = "mini"\n{OWN}drop = ["pixelat"]', "drop: .*nothing named 'pixelat' .*'pixelate'"),
        (f'include = "mini"\n{OWN}drop = "pixelate"', "drop: expected a list of names"),
        (f"include = 3\n{OWN}", "include: expected the name or the path of a suite, found 3"),
        ('include = "mini"\nversion = 1\n', "own.toml: name: this key is missing"),
        (f'drop = ["pixelate"]\n{OWN}', "drop: .*add include"),
        (f'include = "other.toml"\n{OWN}', r"include each other: .*own.toml -> .*other.toml -> .*own.toml"),
    ],
)
def test_what_cannot_be_included_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(content)
    (tmp_path / "other.toml").write_text(f'include = "own.toml"\n{OWN}')
    with pytest.raises(SuiteError, match=sentence):
        load_suite(str(tmp_path / "own.toml"))
