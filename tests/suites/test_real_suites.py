"""The suites of public models: what they need has a source, and what nobody publishes is skipped and not failed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pedbench
from pedbench.cli import main
from pedbench.fetching.catalogue import catalogue
from pedbench.models.sam.family import MINI, family
from pedbench.registry import Registry
from pedbench.suites.files import load_suite
from pedbench.suites.requirements import needs
from pedbench.suites.resolve import Overrides, resolve

SUITES = Path(pedbench.__file__).with_name("suites")
TRAINED = {
    "pedbench train completion --from facebook/vit-mae-base --images FOLDER",
    "pedbench train decoder --from vit_b --images FOLDER",
    "pedbench train decoder --from ped-vit_b --images FOLDER",
    "pedbench train deblur --images FOLDER",
}
"""Commands that make what nobody publishes."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging-face"))
    return tmp_path / "home"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), [("coco", "vit_b"), ("paper", "vit_h")])
def test_whatever_a_suite_reads_can_be_fetched_or_is_named(name: str, model: str, home: Path) -> None:
    registry = Registry()
    suite = resolve(load_suite(name), Overrides(), registry)
    assert suite.model == model
    found = needs(suite, family(model), registry)
    commands = {need.advice for need in found if need.path and not need.entry}
    assert commands == (TRAINED if name == "coco" else set())
    assert {need.entry for need in found if need.path} <= {*catalogue(), ""}
    assert not any(need.here for need in found)
    unnamed = {need.what for need in found if need.path is None}
    assert f"weights ped-{model}" in unnamed
    assert all("--weights" in need.advice for need in found if need.path is None)
    named = family(model, {"fine-tuned": home / "ped.pth"})
    assert f"weights ped-{model}" not in {
        need.what for need in needs(suite, named, registry) if not need.path
    }


@pytest.mark.slow
def test_doctor_says_what_of_a_suite_is_missing(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--suite", "coco"])
    said = capsys.readouterr().out
    assert left.value.code == 1
    for name, size in (("sam_vit_b", 375), ("vit_mae_base", 448), ("sd_inpainting", 2134), ("rt_detr", 172)):
        assert f"not here, {size:,} MB to fetch: looked for {home}" in said
        assert f"-> pedbench fetch {name}" in said
    assert "note    weights ped-vit_b: not published, so its rows are skipped" in said
    untrained = re.findall(
        r"^note    attack \w+: not trained here, looked for .+, so its rows are skipped$", said, re.M
    )
    assert len(untrained) == len(TRAINED)
    for command in TRAINED:
        assert f"-> {command}" in said
    assert "missing dataset coco: not here, 1,068 MB to fetch" in said
    assert not home.exists()


@pytest.mark.slow
def test_doctor_misses_nothing_that_a_run_skips(
    capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path
) -> None:
    own = 'attacks = ["mean_colour", { name = "completion", params = { model = "completion-vit-mae-base" } }]'
    proof = (SUITES / "proof.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(re.sub(r"^attacks = .*$", own, proof, flags=re.M), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--suite", str(tmp_path / "own.toml"), "--limit", "2"])
    output = capsys.readouterr().out
    place = home / "completion-vit-mae-base" / "completion-vit-mae-base"
    assert (
        f"note    attack completion: not trained here, looked for {place}, so its rows are skipped" in output
    )
    assert "missing" not in output
    assert left.value.code == 0


@pytest.mark.slow
def test_doctor_tries_a_picture_to_tell_time_and_memory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--suite", "proof", "--limit", "2", "--set", "ped_sam.servers=5"])
    said = capsys.readouterr().out
    assert left.value.code == 0
    # Three defenses on two pictures, one picture each to warm up.
    assert "for passes and masks: 9 passes of " in said
    assert "for each of the edge, 5 servers and" in said


@pytest.mark.slow
def test_rows_of_weights_that_nobody_named_are_skipped(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = replace(MINI, fine_tuned=replace(MINI.fine_tuned, file=None, source="name it"))
    monkeypatch.setattr("pedbench.engines.runner.family", lambda name, files: lacking)
    defenses = [{"name": "ped_sam"}, {"name": "ped_sam", "params": {"weights": "reordered"}}]
    found = run_small(tmp_path / "run", defenses=defenses, attacks=["mean_colour"])
    by_weights = {
        weights: {
            (record.status, record.reason)
            for record in found.of("ped_sam")
            if record.cell["defense"]["params"]["weights"] == weights
        }
        for weights in ("fine-tuned", "reordered")
    }
    assert by_weights == {
        "fine-tuned": {("skipped", "no weights were named for ped-mini: name it")},
        "reordered": {("ok", "")},
    }


@pytest.mark.slow
def test_attacks_by_untrained_networks_are_skipped_with_the_command(
    run_small: Any, tmp_path: Path, home: Path
) -> None:
    attacks = [
        "mean_colour",
        {"name": "completion", "params": {"model": "completion-vit-mae-base"}},
        {"name": "token_decoder", "params": {"model": "tiny"}},
    ]
    found = run_small(tmp_path / "run", defenses=[{"name": "ped_sam"}], attacks=attacks)
    reasons = {
        record.cell["attack"]["name"]: (record.status, record.reason)
        for record in found.of("ped_sam", "privacy")
        if "attack" in record.cell and record.cell["attack"]["name"] != "mean_colour"
    }
    assert {status for status, _ in reasons.values()} == {"skipped"}
    place = home / "completion-vit-mae-base" / "completion-vit-mae-base"
    command = "pedbench train completion --from facebook/vit-mae-base --images FOLDER"
    assert f"no weights in {place}: {command}" in reasons["completion"][1]
    for start in ("tiny", "ped-tiny"):
        assert f"pedbench train decoder --from {start} --images FOLDER" in reasons["token_decoder"][1]
