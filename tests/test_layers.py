"""Rooms are layers: every import points down, no modules import each other in a circle, and files are short."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = ("attacks", "defenses", "datasets")

LAYERS = (
    "types errors host plugins",
    "pictures fetching network scenes",
    "base",
    "models registry data codecs",
    "offload latency utility inversion metrics probes datasets",
    "adversary attacks",
    "suites",
    "privacy defenses",
    "results checks",
    "validity",
    "measure report",
    "engines training result",
    "api explore regression",
    "cli __init__",
    "__main__ run_all",
)
"""The rooms, lowest layer first. A module imports from its own room and from lower layers only, be it at its head, in
a function or for type checkers. `import pedbench` alone counts as nothing: every import of a submodule does that, too.
"""

MOST_AT_THE_ROOT = 8
"""Modules directly in `pedbench/`."""

MOST_LINES = 250
"""Lines of a file of the package, the plugins, the tools or the tests."""

_LAYER = {room: number for number, rooms in enumerate(LAYERS, 1) for room in rooms.split()}


def modules(root: Path) -> dict[str, ast.Module]:
    """Parse the package, the plugins and `run_all.py` of a checkout: dotted name -> syntax tree."""
    files = [
        root / "run_all.py",
        *(file for top in ("pedbench", *PLUGINS) for file in root.glob(f"{top}/**/*.py")),
    ]
    names = (".".join(file.relative_to(root).with_suffix("").parts) for file in files)
    return {
        name.removesuffix(".__init__"): ast.parse(file.read_bytes())
        for name, file in zip(names, files, strict=True)
    }


def imports(name: str, known: Mapping[str, ast.Module]) -> set[str]:
    """Return the known modules that a module imports."""
    found: set[str] = set()
    for node in ast.walk(known[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} - {"pedbench"}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{name}: relative import, expected the whole name of the module")
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("pedbench.plugins.")
                found.add(inner if inner in known else str(node.module))
    found = {module.removeprefix("pedbench.plugins.") for module in found}
    return {module for module in found if module in known and module != name}


def room(module: str) -> str:
    """Return the room of a module: "report" of `pedbench.report.words.text`, "attacks" of `attacks.jigsaw`."""
    top, *rest = module.split(".")
    return top if top != "pedbench" else rest[0] if rest else "__init__"


def violations(known: Mapping[str, ast.Module]) -> list[str]:
    """Return a sentence for each import that does not point down, and for each circle of modules."""
    edges = {name: imports(name, known) for name in sorted(known)}
    unplaced = sorted({room(name) for name in edges} - _LAYER.keys())
    if unplaced:
        return [f"{each}: no layer names this room; add it to LAYERS" for each in unplaced]
    layer = {name: _LAYER[room(name)] for name in edges}
    upward = [
        f"{name} (layer {layer[name]}) imports {module} (layer {layer[module]})"
        for name, found in edges.items()
        for module in sorted(found)
        if room(name) != room(module) and layer[name] <= layer[module]
    ]
    by_name = [
        f"{name} imports the plugin {module} by its name"
        for name, found in edges.items()
        for module in sorted(found)
        if room(module) in PLUGINS and room(name) != room(module)
    ]
    return upward + by_name + circles(edges)


def circles(edges: Mapping[str, set[str]]) -> list[str]:
    """Return a sentence for each circle; one import of it is left out before the next circle is looked for."""
    edges, found = {name: set(targets) for name, targets in edges.items()}, []
    while True:
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            found.append(f"circle: {' imports '.join(circle)}")
            edges[circle[0]].remove(circle[1])
        else:
            return found


@pytest.mark.slow
def test_every_import_points_down() -> None:
    found = violations(modules(ROOT))
    assert not found, "imports against the layers of DESIGN section 5:\n" + "\n".join(found)


def test_few_modules_lie_at_the_root() -> None:
    found = sorted(file.name for file in (ROOT / "pedbench").glob("*.py"))
    assert len(found) <= MOST_AT_THE_ROOT, found


def test_files_are_short() -> None:
    tops = ("pedbench", *PLUGINS, "examples", "tools", "tests")
    files = [ROOT / "run_all.py", *(file for top in tops for file in (ROOT / top).rglob("*.py"))]
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_bytes().splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("pedbench.host.device", "import pedbench", []),
        ("pedbench.models.sam", "from pedbench.host import device", []),
        (
            "pedbench.host.device",
            "from pedbench.models.sam import load",
            ["pedbench.host.device (layer 1) imports pedbench.models.sam (layer 4)"],
        ),
        (
            "pedbench.host.device",
            "def f():\n    import pedbench.models.sam",
            ["pedbench.host.device (layer 1) imports pedbench.models.sam (layer 4)"],
        ),
        (
            "pedbench.data.coco",
            "if TYPE_CHECKING:\n    from pedbench.models import sam",
            ["pedbench.data.coco (layer 4) imports pedbench.models.sam (layer 4)"],
        ),
        (
            "pedbench.cli.run",
            "from pedbench import Result, host",
            ["pedbench.cli.run (layer 14) imports pedbench (layer 14)"],
        ),
        (
            "pedbench.report.page",
            "from pedbench.plugins.attacks.jigsaw import Jigsaw",
            ["pedbench.report.page imports the plugin attacks.jigsaw by its name"],
        ),
        (
            "pedbench.models.sam",
            "from pedbench.models import other",
            ["circle: pedbench.models.sam imports pedbench.models.other imports pedbench.models.sam"],
        ),
        ("pedbench.attic.old", "", ["attic: no layer names this room; add it to LAYERS"]),
    ],
)
def test_imports_against_the_layers_are_listed(module: str, source: str, expected: list[str]) -> None:
    tree = {
        "pedbench": "",
        "pedbench.host": "",
        "pedbench.host.device": "",
        "pedbench.models.sam": "",
        "pedbench.models.other": "from pedbench.models.sam import load",
        "attacks.jigsaw": "from pedbench.models import sam",
    } | {module: source}
    assert violations({name: ast.parse(text) for name, text in tree.items()}) == expected
