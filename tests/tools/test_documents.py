"""Commands and names in the documents can be typed and loaded, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli
import typer

from pedbench.cli import app, options
from pedbench.fetching.catalogue import entry
from pedbench.registry import Registry
from pedbench.suites.files import load_suite
from pedbench.suites.resolve import Overrides, resolve
from tests.tools.documents import BLOCKS, COMMANDS, DOCUMENTS, FILES, ROOT


def test_every_kind_of_block_is_known() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "python", "toml", ""}
    assert all(block.file for block in BLOCKS if block.language in ("python", "toml"))
    assert len(FILES) == len([block for block in BLOCKS if block.file])


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [pytest.param(words, id=f"{document}: {' '.join(words)}") for document, words in COMMANDS],
)
def test_a_command_can_be_typed(
    command: list[str], document_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(document_folder)
    program, *words = command
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[0] in targets
    elif words[:2] == ["-m", "pip"]:
        _installable(words[2:])
    elif program == "python":
        assert (ROOT / words[0]).is_file()
    else:
        assert program == "pedbench"
        _parsed(words)


def _installable(words: list[str]) -> None:
    """Local projects and extras of what pip is told to install exist, and packages are what the small install needs."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=; ]", each)[0] for each in project["dependencies"]}
    assert words[0] in ("install", "freeze")
    for word in [word for word in words[1:] if not word.startswith("-")]:
        path, _, extra = word.partition("[")
        if words[0] == "install" and word.startswith("."):
            assert (ROOT / path / "pyproject.toml").is_file()
            assert not extra or set(extra.rstrip("]").split(",")) <= set(project["optional-dependencies"])
        elif words[0] == "install" and not word.endswith(".txt"):
            assert {re.split(r"[<>=\[]", word)[0]} <= {"pedbench", *needed}


def _parsed(words: list[str]) -> None:
    group: Any = typer.main.get_command(app)
    context = group.commands[words[0]].make_context(words[0], words[1:])
    parameters = context.params
    if words[0] == "run":
        _resolved(parameters)
    for name in parameters.get("names") or ():
        assert entry(name) if words[0] == "fetch" else Path(name).is_file()


def _resolved(parameters: dict[str, Any]) -> None:
    """The suite, its plugins and their parameters exist."""
    suite = load_suite(parameters["suite"] or "mini")
    assert resolve(
        suite, Overrides(**options.selection(parameters)), Registry(parameters["plugin"] or ())
    ).defenses


def test_suites_in_documents_are_suites(tmp_path: Path) -> None:
    for block in BLOCKS:
        if block.language == "toml":
            file = tmp_path / block.file
            file.write_text(block.text, encoding="utf-8")
            assert resolve(load_suite(str(file)), Overrides(), Registry()).name == file.stem


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, section = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), target
        assert not section or section in _sections(path), target


def _sections(document: Path) -> set[str]:
    """Names by which links lead to a document's headings."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reference_lists_the_plugins_in_the_tree() -> None:
    text = (ROOT / "docs" / "reference" / "plugins.md").read_text(encoding="utf-8")
    for kind in ("defense", "attack"):
        table = re.search(rf"^\| {kind} \| what .*?\n\n", text, re.MULTILINE | re.DOTALL)
        assert table
        listed = {
            name
            for line in table.group().strip().splitlines()[2:]
            for name in re.findall(r"`(\w+)`", line.split("|")[1])
        }
        assert listed == {path.stem for path in (ROOT / f"{kind}s").glob("*.py")}
