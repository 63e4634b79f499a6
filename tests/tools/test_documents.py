"""What the documents say can be typed, loaded and run."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli
import typer

import pedbench
from pedbench.api import run as measure
from pedbench.checks import check
from pedbench.checks.samples import made_up_picture, make_view
from pedbench.cli import app, main, options
from pedbench.engines.view_stream import views as real_views
from pedbench.fetching.catalogue import entry
from pedbench.plugins.attacks.mean_colour import MeanColour
from pedbench.registry import Registry
from pedbench.registry.instances import plugin_file
from pedbench.results.run import load
from pedbench.suites.files import load_suite
from pedbench.suites.resolve import Overrides, resolve

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: First word behind the fence.
        file: Second word: the name under which the text tells to save it.
    """

    document: str
    language: str
    file: str
    text: str


def _blocks() -> list[Block]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for info, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            language, _, file = info.partition(" ")
            found.append(Block(document.name, language, file, body))
    return found


BLOCKS = _blocks()
COMMANDS = [
    (block.document, words)
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.splitlines()
    if (words := shlex.split(line, comments=True))
]
FILES = {block.file: block for block in BLOCKS if block.file}
STUDY, ONE_VIEW = SCRIPTS = ("first_study.py", "one_view.py")
PLUGINS = [name for name in FILES if name.endswith(".py") and not name.startswith(("test_", *SCRIPTS))]
MOST_LINES = 40
"""Of the plugins that how-to documents are built around."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all files were saved that the documents tell to save, or to have written."""
    path = tmp_path_factory.mktemp("documents")
    for name, block in FILES.items():
        (path / name).write_text(block.text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        for typed in {" ".join(words) for _, words in COMMANDS if words[:2] == ["pedbench", "new"]}:
            with pytest.raises(SystemExit) as left:
                main(typed.split()[1:])
            assert left.value.code == 0
    return path


def test_every_kind_of_block_is_known() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "python", "toml", ""}
    assert all(block.file for block in BLOCKS if block.language in ("python", "toml"))
    assert len(FILES) == len([block for block in BLOCKS if block.file])


@pytest.mark.parametrize(
    "command",
    [pytest.param(words, id=f"{document}: {' '.join(words)}") for document, words in COMMANDS],
)
def test_a_command_can_be_typed(command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
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
    given = context.params
    if words[0] == "run":
        _resolved(given)
    for name in given.get("names") or ():
        assert entry(name) if words[0] == "fetch" else Path(name).is_file()


def _resolved(given: dict[str, Any]) -> None:
    """The suite, its plugins and their parameters exist."""
    suite = load_suite(given["suite"] or "mini")
    assert resolve(suite, Overrides(**options.selection(given)), Registry(given["plugin"] or ())).defenses


def test_suites_in_documents_are_suites(tmp_path: Path) -> None:
    for block in BLOCKS:
        if block.language == "toml":
            file = tmp_path / block.file
            file.write_text(block.text, encoding="utf-8")
            assert resolve(load_suite(str(file)), Overrides(), Registry()).name == file.stem


def _problems(folder: Path, kind: Any) -> dict[str, list[str]]:
    """By plugin of the documents, the rules that it breaks."""
    registry = Registry([folder / name for name in PLUGINS])
    names = [name for name, origin in registry.origins(kind).items() if origin.type == "path"]
    return {
        name: [f"{o.rule}: {o.problem}" for o in check(registry.spec(kind, name, {}), registry) if o.problem]
        for name in names
    }


def test_probes_in_documents_keep_the_rules(folder: Path) -> None:
    assert _problems(folder, "probes") == {"black_boxes": []}


@pytest.mark.slow
def test_defenses_in_documents_keep_the_rules(folder: Path) -> None:
    assert _problems(folder, "defenses") == {"checkerboard": []}


def test_plugins_of_how_to_documents_are_short_and_tested(folder: Path) -> None:
    assert len(FILES["gaussian_fill.py"].text.splitlines()) <= MOST_LINES
    assert len(FILES["checkerboard.py"].text.splitlines()) <= MOST_LINES
    attacks = [name for name in PLUGINS if "(Attack):" in FILES[name].text]
    assert attacks == ["gaussian_fill.py"]
    runpy.run_path(str(folder / "test_gaussian_fill.py"))["test_it_keeps_the_rules"]()


def test_an_attack_can_be_called_on_one_view(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def views(*names: Any, **arguments: Any) -> Iterator[Any]:
        assert inspect.signature(real_views).bind(*names, **arguments)
        frame = made_up_picture(np.random.default_rng(0), (48, 64))
        yield make_view(MeanColour(), frame), frame

    monkeypatch.setattr(pedbench, "views", views, raising=False)
    monkeypatch.syspath_prepend(folder)
    runpy.run_path(str(folder / ONE_VIEW))
    assert re.fullmatch(r"received \d+%, mean error of the rest 0\.\d{3}\n", capsys.readouterr().out)


@pytest.mark.long
def test_the_study_in_documents_can_be_typed(
    folder: Path, small_run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def run(suite: str, **arguments: Any) -> pedbench.Result:
        given.update(arguments)
        for attack in [each for each in arguments["attacks"] if not isinstance(each, str)]:
            file = plugin_file(type(attack), Registry(), folder)
            assert file is not None
            assert Registry([file]).create("attacks", attack.name, attack.params).params == attack.params
        return pedbench.Result(load(small_run.directory))

    monkeypatch.setattr(pedbench, "run", run, raising=False)
    monkeypatch.chdir(folder)
    runpy.run_path(STUDY)
    assert inspect.signature(measure).bind("proof", **given)
    assert (folder / "privacy_utility.png").is_file()
    assert "full_offload" in capsys.readouterr().out


def test_the_dataset_in_documents_gives_samples(folder: Path) -> None:
    assert _problems(folder, "datasets") == {"flat_colours": []}
    dataset = Registry([folder / "flat_colours.py"]).create("datasets", "flat_colours", {"count": 3})
    samples = [dataset[index] for index in range(len(dataset))]
    assert [sample.id for sample in samples] == list(dataset.ids()) == ["0", "1", "2"]
    for sample in samples:
        assert sample.image.dtype == np.float32
        assert np.abs(sample.image * 255 - np.rint(sample.image * 255)).max() < 1e-4
        assert len(np.unique(sample.image[sample.instances[0].mask], axis=0)) == 1


def test_the_metric_in_documents_measures(folder: Path) -> None:
    assert _problems(folder, "metrics") == {"worst_pixel": []}
    metric = Registry([folder / "worst_pixel.py"]).create("metrics", "worst_pixel", {})
    truth = np.zeros((4, 4, 3), np.float32)
    guess = truth.copy()
    guess[0, 0, 1] = 0.25
    corner = np.zeros((4, 4), np.bool_)
    corner[0, 0] = True
    regions = {"corner": corner, "rest": ~corner, "nothing": corner & ~corner}
    assert metric([guess, truth], truth, regions) == [{"corner": 0.25, "rest": 0}, {"corner": 0, "rest": 0}]


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
