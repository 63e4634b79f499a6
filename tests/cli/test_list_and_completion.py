"""`pedbench list`, and the completion of names in shells."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import CARELESS, pedbench

ROOT = Path(__file__).parents[2]


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
