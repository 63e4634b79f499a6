"""The numbers and pictures of the documents come from runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pedbench.report.words.text import NOTHING
from tools.documents.measured_blocks import measured, replace_block
from tools.documents.tables import attackers, models
from tools.studies.catalogue import fetchable

ROOT = Path(__file__).parents[2]
LEAKAGE = "leakage[RMSE], c=1 ↓"
COLUMNS = [
    "defense",
    "mIoU[1 click], M+L ↑",
    "retention ↑",
    LEAKAGE,
    "visible, c=1 ↓",
    "wall, measured ↓",
    "turn-taking, composed ↓",
    "n",
]


def _block(document: Path, name: str) -> str:
    text = document.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}: begin -->\n\n(.*?)\n\n<!-- {name}: end -->", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def _check_results(block: str) -> list[dict[str, str]]:
    """Check the form of the README's block; return the measured rows of its first table."""
    sentence, table, *_ = block.split("\n\n")
    assert re.match(
        r"Suite `[\w-]+` version \d+: \d+ pictures of dataset `\w+`, model `mini`, seed \d+", sentence
    )
    header, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert [name for name in header if name in COLUMNS] == COLUMNS
    rows = [dict(zip(header, cells, strict=True)) for cells in lines]
    measured = [row for row in rows if not row["defense"].startswith("reported")]
    assert len(rows) == len(measured) + 3
    for row in measured:
        assert re.fullmatch(r"0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\]", row[header[1]]), row
        if row[LEAKAGE] != NOTHING:
            number = r"(≥ )?-?[01]\.\d{3}( \[-?[01]\.\d{3}, -?[01]\.\d{3}\])?"
            assert re.fullmatch(rf"{number}( `.*)?", row[LEAKAGE]), row
    return measured


def test_the_readme_holds_results() -> None:
    block = _block(ROOT / "README.md", "results")
    if block.startswith("Not measured yet"):
        pytest.skip("the README holds no results yet: make illustrate")
    assert len(_check_results(block)) > 3


def test_a_block_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter \\1\n", encoding="utf-8")
    replace_block(document, "a", "new \\1\n")
    expected = "before\n<!-- a: begin -->\n\nnew \\1\n\n<!-- a: end -->\nafter \\1\n"
    assert document.read_text(encoding="utf-8") == expected
    with pytest.raises(ValueError, match="b: begin"):
        replace_block(document, "b", "new")


def test_a_measuring_function_is_a_command_that_fills_its_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "<!-- a: begin -->\n<!-- a: end -->\n<!-- b: begin -->\n<!-- b: end -->\n", encoding="utf-8"
    )

    def measure(folder: Path, count: int = 1) -> str:
        return f"{count} in {folder.name}"

    def measure_both() -> dict[str, str]:
        return {"a": "new a", "b": "new b"}

    def typed(command: Callable[[], None], *words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["measure", *words, "--documents", str(tmp_path)])
        with pytest.raises(SystemExit) as left:
            command()
        assert left.value.code == 0
        return document.read_text(encoding="utf-8")

    assert "begin -->\n\n3 in here\n\n<!-- b: end" in typed(
        measured("page.md", "b")(measure), "here", "--count", "3"
    )
    both = typed(measured("page.md")(measure_both))
    assert "new a" in both
    assert "new b" in both


def test_scores_come_from_the_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    with pytest.raises(FileNotFoundError, match="pedbench train"):
        models(manifest)
    entry = {
        "sha256": "0123456789abcdef",
        "recipe": {
            "architecture": "sam-mini",
            "start": "sam-mini-2",
            "schedule": {"steps": 12000},
            "batch": 8,
        },
        "seconds": 3600,
        "data": {"count": 6000},
        "scores": {"S": 0.25, "ML": 0.7504},
    }
    attacker = {**entry, "recipe": {"schedule": {"steps": 5}}, "scores": {"hidden PSNR": 17.25}}
    del attacker["seconds"]
    manifest.write_text(json.dumps({"mae-mini": attacker, "sam-mini": entry}))
    *_, line = attackers(manifest).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "`mae-mini`",
        NOTHING,
        "5",
        NOTHING,
        NOTHING,
        "6,000",
        "`0123456789ab`",
        "hidden PSNR 17.250",
    ]
    *_, line = models(manifest).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "`sam-mini`",
        "`sam-mini-2`",
        "12,000",
        "96,000",
        "3,600",
        "6,000",
        "`0123456789ab`",
        "0.250",
        NOTHING,
        NOTHING,
        "0.750",
        NOTHING,
    ]


@pytest.mark.long
def test_documents_are_illustrated_from_a_run(tmp_path: Path) -> None:
    def python(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)

    python("run_all.py", "proof", "--out", str(tmp_path / "reports"))
    (tmp_path / "docs" / "measured").mkdir(parents=True)
    for name in ("README.md", "docs/measured/models.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    python("-m", "tools.documents", str(tmp_path / "reports" / "latest"), "--to", str(tmp_path))
    lines = _check_results(_block(tmp_path / "README.md", "results"))
    assert [row["defense"] for row in lines] == ["`on_device`", "`full_offload`", "`ped_sam`"]
    assert [row["visible, c=1 ↓"] for row in lines[:2]] == ["0.000", "1.000"]
    floors = _block(tmp_path / "docs" / "measured" / "models.md", "floors")
    assert re.search(r"\n\| `\w+`, the best floor +\| +\d+\.\d\d \| +\d\.\d{3} \|$", floors)
    pictures = tmp_path / "docs" / "pictures"
    assert {path.name for path in pictures.iterdir()} == {"masks.png", "scenes.png", "what_servers_see.png"}
    for path in pictures.iterdir():
        shown = np.asarray(Image.open(path))
        assert shown.std() > 20, path


def test_what_can_be_fetched_stands_in_the_documents() -> None:
    assert _block(ROOT / "docs" / "reference" / "models.md", "catalogue") == fetchable()
