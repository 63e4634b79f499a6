"""The command line: its output and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.cli import main
from pedbench.registry import PluginSpec

ROOT = Path(__file__).parents[2]


def pedbench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(exited.value.code, int)
    return exited.value.code, captured.out, captured.err


def test_listing_and_completing_import_nothing_heavy() -> None:
    script = """if True:
        import os, sys
        from pedbench.cli import main
        for words in ("", "pedbench run mini --attack mean"):
            if words:
                typed = {"COMP_WORDS": words, "COMP_CWORD": "4", "_PEDBENCH_COMPLETE": "complete_bash"}
                os.environ.update(typed)
            try:
                main([] if words else ["list"])
            except SystemExit as left:
                print(left.code, sorted({"torch", "numpy", "pandas"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *listed, status, completed, completed_status = done.stdout.splitlines()
    assert (status, completed, completed_status) == ("0 []", "mean_colour", "0 []")
    assert {"attacks", "  mean_colour", "suites", "  mini"} <= set(listed)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("run min", ["mini", "mini-full"]),
        ("plan --suite proo", ["proof"]),
        ("run --plugin {broken} --attack bro", ["broken"]),
        ("run --plugin {broken} --defense on_device_", ["on_device_small"]),
        ("run --plugin nowhere.py --attack mean", []),
        ("list defen", ["defenses"]),
        ("check jpe", ["jpeg"]),
        ("new att", ["attack"]),
    ],
)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_shells_complete_names(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    broken: Path,
    shell: str,
    typed: str,
    expected: list[str],
) -> None:
    monkeypatch.setenv("_PEDBENCH_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"pedbench {typed.format(broken=broken)}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    status, out, err = pedbench(capsys)
    names = re.findall('"(.+?)"', out) if shell == "zsh" else out.split()
    assert (status, list(dict.fromkeys(names)), err) == (0, expected, "")


def test_the_list_is_json_on_request(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    status, out, _ = pedbench(capsys, "list", "--json", "--plugin", str(broken))
    found = json.loads(out)
    assert (status, found["schema"]) == (0, 1)
    assert {"name": "broken", "origin": str(broken)} in found["attacks"]
    assert {"name": "mini"} in found["suites"]
    broken.write_text(broken.read_text().replace("Attack", "Codec"))
    status, out, _ = pedbench(capsys, "list", "codecs", "--long", "--json", "--plugin", str(broken))
    (kind,) = (content := json.loads(out)).keys() - {"schema"}
    codecs = {each.pop("name"): each for each in content[kind]}
    assert (status, kind) == (0, "codecs")
    assert "No module named 'no_such_module'" in codecs["broken"]["error"]
    assert codecs["jpeg"].keys() == {"origin", "version", "takes", "summary", "source"}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A plugin that cannot be imported."""
    path = tmp_path / "broken.py"
    path.write_text("from pedbench.base import Attack\nimport no_such_module\nclass Broken(Attack): ...\n")
    return path


def test_a_broken_plugin_is_listed_with_its_traceback(
    capsys: pytest.CaptureFixture[str], broken: Path
) -> None:
    status, out, _ = pedbench(capsys, "list", "attacks", "--long", "--plugin", str(broken))
    assert status == 0
    assert "No module named 'no_such_module'" in out
    assert "Traceback" in out
    assert "mean_colour" in out


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
            "pedbench: --at-once is for `pedbench train ped-sam` alone.",
        ),
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


def test_the_long_list_shows_origin_version_needs_and_source(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "careless.py"
    path.write_text(CARELESS.replace("version = 1", 'version = 7; cite = "Doe 2020"'))
    status, out, _ = pedbench(capsys, "list", "attacks", "--long", "--plugin", str(path))
    assert status == 0
    (line,) = [line for line in out.splitlines() if line.startswith("careless")]
    assert re.fullmatch(
        r"careless +7 +/\S+ +degraded, nothing, pixels, tokens +Break every rule\. +Doe 2020 *", line
    )
    assert re.search(r"^mean_colour +1 +in-tree +nothing, pixels \(floor\) ", out, re.MULTILINE)


def test_check_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "careless.py"
    path.write_text(CARELESS)
    status, out, err = pedbench(capsys, "check", str(path))
    assert status == 1
    failed = [line.strip() for line in out.splitlines() if line.strip().startswith("failed")]
    for words in (
        "guesses are deterministic: the same view and generator gave two",
        "the view stays unchanged: the plugin wrote",
        "guess without a view: expected values in [0, 1], found -0.5",
        "guess of a tiny frame: expected a float32 array of shape (8, 8, 3)",
        "guesses do not depend on the batch",
        "guess from degraded alone: IndexError: tuple index out of range",
    ):
        assert any(words in line for line in failed), (words, out)
    assert any(
        line.endswith("guess from tokens alone: as for 'guess from degraded alone'") for line in failed
    )
    assert re.search(r"^([2-9]|\d\d+) checks failed\.$", err, re.MULTILINE)


CARELESS = '''
from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack


@dataclass(kw_only=True)
class Careless(Attack):
    """Break every rule."""

    name = "careless"
    version = 1
    needs = frozenset({"nothing", "pixels", "degraded", "tokens"})

    def reconstruct(self, view, rng):
        if view.degraded or view.tokens:
            view.patches[0]
        if not view.patches:
            return np.full((*view.frame_size, 3), -0.5, np.float32)
        if min(view.frame_size) < 10:
            return np.zeros((10, 10, 3), np.float32)
        view.patches[0].picture[:] = 0
        return np.random.random((*view.frame_size, 3)).astype(np.float32)
'''


@pytest.mark.long
def test_all_plugins_keep_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = pedbench(capsys, "check")
    assert status == 0, out


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
