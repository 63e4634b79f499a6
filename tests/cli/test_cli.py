"""The command line: its output and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.cli import main
from pedbench.registry import PluginSpec
from tests.cli.command_line import pedbench

ROOT = Path(__file__).parents[2]


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert pedbench(capsys, "--version") == (0, f"{metadata.version('pedbench')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "attack"], "pedbench: there is no kind 'attack' (did you mean 'attacks'?)"),
        (["run", "mimi"], "pedbench: there is no suite named 'mimi' (did you mean 'mini'?)"),
        (["run", "mini", "--suite", "proof"], "pedbench: two suites were given"),
        (["run", "--plugin", "nowhere.py"], "pedbench: --plugin: there is no file or folder"),
        (["check", "mean_color"], "pedbench: there is no plugin named 'mean_color' (did you mean"),
        (["train", "nothing"], "pedbench: no recipe for 'nothing'"),
        (
            ["train", "sam-mini", "--at-once", "2"],
            "pedbench: --at-once is for `pedbench train ped-sam|completion|decoder|deblur|context` alone.",
        ),
        (
            ["train", "completion", "--teacher", "sam-mini"],
            "pedbench: --teacher is for `pedbench train ped-sam` alone.",
        ),
        (["train", "completion", "--images", "nowhere"], "needs --from MODEL and --images FOLDER."),
        (["train", "deblur", "--device", "cpu"], "pedbench train deblur needs --images FOLDER."),
        (["train", "ped-sam", "--teacher", "sam-mini"], "needs --teacher CHECKPOINT and --images FOLDER."),
        (
            ["train", "ped-sam", "--teacher", "sam-mini", "--images", "nowhere"],
            "pedbench: there is no folder nowhere: name a folder of pictures with --images.",
        ),
        (
            ["train", "ped-sam", "--teacher", "nothing.pth", "--images", "nowhere"],
            "pedbench: nothing.pth: no such file",
        ),
        (["run", "--limit", "none"], "--limit"),
    ],
)
def test_wrong_input_is_a_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    status, _, err = pedbench(capsys, *arguments)
    assert status == 2
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize("found", [True, False])
def test_a_run_opens_its_report_also_if_a_cell_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: bool
) -> None:
    opened: list[str] = []
    monkeypatch.chdir(tmp_path)

    def open_browser(url: str) -> bool:
        opened.append(url)
        return found

    monkeypatch.setattr("webbrowser.open", open_browser)
    monkeypatch.setattr("pedbench.report.outputs.terminal.print_overview", lambda run: None)
    result = SimpleNamespace(run=None, directory=Path("reports/a run"), problems=["a cell failed"], ok=False)
    monkeypatch.setattr("pedbench.api.run", lambda *_, **__: result)
    status, _, err = pedbench(capsys, "run", "--open")
    assert (status, opened) == (1, [f"{tmp_path.as_uri()}/reports/a%20run/report.html"])
    assert ("no browser was found" in err) != found


def test_debug_raises_the_error_itself() -> None:
    with pytest.raises(ValueError, match="no suite named"):
        main(["run", "mimi", "--debug"])


@pytest.mark.slow
def test_doctor_names_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: ConfinedAttacks, spec: PluginSpec) -> None:
        if spec.name >= "black":
            raise AttackFailure(spec.name, "AttackDied", "No module named 'torch'")

    monkeypatch.setattr(ConfinedAttacks, "load", load)
    monkeypatch.setattr("pedbench.cli.doctor.requirements", lambda _="": ["torch>=99", "no-such-package>=1"])
    status, out, _ = pedbench(capsys, "doctor", "--json")
    findings = {finding.pop("subject"): finding for finding in json.loads(out)["findings"]}
    assert status == 1
    assert findings["package no-such-package"] == {
        "status": "missing",
        "found": "not installed",
        "cure": "python -m pip install 'no-such-package>=1'",
    }
    status, out, _ = pedbench(capsys, "doctor", "--plugin", str(ROOT / "tests/measure/plugins/black.py"))
    assert status == 1
    assert "python -m pip install 'torch>=99'" in out
    assert "package no-such-package: not installed" in out
    assert "ok      Python" in out
    assert "missing attack black: fails in its own process" in out
    assert "attack completion" not in out


def test_streams_of_other_encodings_get_plain_marks() -> None:
    program = (
        "import sys\n"
        "from pedbench.cli import app, main\n"
        "@app.command('marks')\n"
        "def marks() -> None:\n"
        "    print('mIoU ↑, leakage ≥ 0.5 \\N{EN DASH} é漢', file=sys.stderr)\n"
        "    print('visible ↓')\n"
        "main(['marks'])\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"visible v\n", b"mIoU ^, leakage >= 0.5 - ??\n")


def test_help_names_few_commands_each_with_its_whole_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = pedbench(capsys, "--help")
    commands = re.findall(r"^  [a-z-]+  +(.*)$", out.partition("Commands:\n")[2], flags=re.MULTILINE)
    assert status == 0
    assert 10 < len(commands) <= 16
    assert all(sentence.endswith(".") and not sentence.endswith("..") for sentence in commands)
