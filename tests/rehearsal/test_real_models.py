"""The commands that the documents tell to type for real models, on a local mirror of small random networks."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pedbench.fetching.digests import digest
from pedbench.results.records import Record, read_plan, read_records
from tests.rehearsal.installation import Installation, install
from tests.rehearsal.made_files import make_mirror
from tests.rehearsal.mirror import LARGE, serving
from tests.tools.documents import BLOCKS
from tests.training.short_attackers import make_pictures

SIZES = {
    "run": "--set latency.samples=1 --set latency.warmup=1 --set guided_inversion.evaluations=2 "
    "--set token_inversion.steps=2 --set diffusion_inpaint.steps=1 --set diffusion_inpaint.samples=1",
    "train": "--steps 1 --batch 1 --held-out 1 --precision no --device cpu",
}
"""Options that make a command small."""

TRAINED = {"completion", "token_decoder", "deblur"}

COMMANDS = next(
    [shlex.split(line, comments=True)[1:] for line in block.text.splitlines()]
    for block in BLOCKS
    if block.document == "getting_started.md" and "pedbench train ped-sam" in block.text
)


def _small(words: list[str]) -> list[str]:
    """Return a command with options that make it small, and one picture in place of two."""
    if words[0] == "run":
        words = [
            "1" if before == "--limit" else word for before, word in zip(["", *words], words, strict=False)
        ]
    return [*words, *shlex.split(SIZES.get(words[0], ""))]


def _records(installed: Installation) -> list[Record]:
    directory = installed.folder / "reports" / "latest"
    records = read_records(directory)
    return [records[cell_id] for cell_id in read_plan(directory)]


def _type(installed: Installation, words: list[str]) -> list[Record]:
    """Type a command; of a run, return its records, of which none failed."""
    done = installed.pedbench(_small(words))
    # A doctor who misses files, and controls of random networks, have a status of their own.
    assert done.returncode in ((0, 1) if words[0] in ("doctor", "run") else (0,)), done.stdout
    if words[0] != "run":
        return []
    records = _records(installed)
    assert [(each.cell, each.reason) for each in records if each.status == "failed"] == []
    return records


def _trained(records: list[Record]) -> set[str]:
    """Return which attacks by trained networks were measured."""
    return {
        record.cell["attack"]["name"]
        for record in records
        if record.status == "ok"
        and "attack" in record.cell
        and (
            record.cell["attack"]["name"] != "deblur"
            or record.cell["attack"]["params"]["method"] == "learned"
        )
    } & TRAINED


@pytest.mark.long
def test_the_documented_commands_lead_from_nothing_to_a_report(tmp_path: Path) -> None:
    names = next(words[1:] for words in COMMANDS if words[0] == "fetch")
    catalogue = make_mirror(tmp_path / "mirror", names, pictures=3)
    with serving(tmp_path / "mirror") as mirror:
        installed = install(tmp_path, PEDBENCH_MIRROR=mirror.url, PEDBENCH_CATALOGUE=str(catalogue))
        make_pictures(installed.folder / "PICTURES", 3)
        runs = [records for words in COMMANDS if (records := _type(installed, words))]
    for path, starts in mirror.requested.items():
        size = (tmp_path / "mirror" / path.lstrip("/")).stat().st_size
        assert starts == ([0, size // 2] if size >= LARGE else [0]), path
    assert mirror.refused == []
    assert installed.reached == ""
    before, after = runs
    assert _trained(before) == set()
    assert _trained(after) == TRAINED
    file = installed.home / "ped-vit_b" / "ped-vit_b.safetensors"
    fine_tuned = [
        record
        for record in after
        if record.cell["defense"]["name"] == "ped_sam"
        and record.cell["defense"]["params"]["weights"] == "fine-tuned"
    ]
    assert {record.status for record in fine_tuned} == {"ok"}
    assert {record.provenance["weights"]["ped-vit_b"] for record in fine_tuned} == {digest(file)}
    completed = digest(
        installed.home / "completion-vit-mae-base" / "completion-vit-mae-base" / "model.safetensors"
    )
    assert any(
        completed in record.provenance["weights"].values() for record in after if record.status == "ok"
    )
    attacks = {record.cell["attack"]["name"] for record in after if "attack" in record.cell}
    measured = {
        record.cell["attack"]["name"] for record in after if "attack" in record.cell and record.status == "ok"
    }
    assert measured == attacks
    assert (installed.folder / "reports" / "latest" / "report.html").is_file()


@pytest.mark.slow
def test_the_installation_reaches_no_other_machine(tmp_path: Path) -> None:
    installed = install(tmp_path)
    done = installed.python(
        "-c", "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=1)"
    )
    assert done.returncode == 1
    assert "192.0.2.1" in installed.reached
