"""Plugins written by `pedbench new` work without changes."""

from __future__ import annotations

import importlib
import keyword
import runpy
import sys
from pathlib import Path

import pytest
import tomli

from pedbench.cli import main
from pedbench.registry import Registry
from pedbench.registry.origins import BASES, KINDS


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main(["new", *arguments])
    captured = capsys.readouterr()
    assert isinstance(exited.value.code, int)
    return exited.value.code, captured.out, captured.err


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_of_every_kind_keeps_the_rules(
    kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, _ = new(capsys, BASES[kind].lower(), "my_own")  # type: ignore[index]
    assert status == 0
    assert set(contents(tmp_path)) == {"my_own.py", "test_my_own.py"}
    assert "pedbench check my_own.py" in out
    assert "my_own" in Registry([tmp_path]).origins(kind)  # type: ignore[arg-type]
    runpy.run_path("test_my_own.py")["test_it_keeps_the_rules"]()


@pytest.mark.slow
def test_a_package_has_an_entry_point_and_its_test_passes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, _ = new(capsys, "attack", "my_own", "--package")
    root = tmp_path / "pedbench-my-own"
    assert status == 0
    project = tomli.loads((root / "pyproject.toml").read_text())
    assert project["tool"]["pytest"]["ini_options"]["pythonpath"] == ["."]
    monkeypatch.syspath_prepend(root)
    module, _, attribute = project["project"]["entry-points"]["pedbench.attacks"]["my_own"].partition(":")
    try:
        assert getattr(importlib.import_module(module), attribute).name == "my_own"
        runpy.run_path(str(root / "tests" / "test_my_own.py"))["test_it_keeps_the_rules"]()
    finally:
        for name in [name for name in sys.modules if name.startswith("pedbench_my_own")]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["attak", "my_own"], "there is no kind of plugin 'attak' (did you mean 'attack'?)"),
        (["attack", "MyOwn"], "a plugin's name is in snake_case, such as gaussian_blur; found 'MyOwn'"),
        (["attack", "my__own"], "snake_case"),
        (["attack", keyword.kwlist[-1]], "is a Python keyword"),
        (["attack", "test_my"], "begins like the name of a test"),
        (["attack", "jigsaw"], "there is already a plugin 'jigsaw', pedbench.plugins.attacks.jigsaw"),
        (["attack", "random"], "random.py would hide the module 'random'"),
        (["attack", "numpy"], "numpy.py would hide the module 'numpy'"),
    ],
)
def test_unusable_names_are_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, _, err = new(capsys, *arguments)
    assert status == 2
    assert sentence in err
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("existing", ["my_own.py", "test_my_own.py"])
def test_nothing_is_overwritten(existing: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / existing).write_text("precious")
    status, _, err = new(capsys, "defense", "my_own")
    assert status == 2
    assert f"{existing} exists already; nothing was written" in err
    assert contents(tmp_path) == {existing: "precious"}
