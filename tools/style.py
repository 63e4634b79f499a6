"""Style lint: docstrings that can be read alone, and names that say what they hold. `make lint` runs it.

`tools/style_baseline.json` counts the old violations of each file; a count may only shrink. `python -m tools.style
PATH ...` lists all violations of those files; `--write` records the counts as they are now.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASELINE = Path(__file__).with_name("style_baseline.json")
DOCUMENTED = ("pedbench", "attacks", "defenses", "datasets", "tools")
"""Folders whose docstrings are checked; names are checked in `tests` too."""

HEADLESS = """
    amid as at beside behind by for from held in into likewise of on such that those to told what whatever when
    which who whom whose why with
"""
"""First words of docstrings that have no subject or need the sentence before them."""

NO_VERBS = """
    a all an any another both each either every everything few first half height here how it its largest last
    least length mean median most multiply-adds no none number one other per root share shared side size some
    something square sum the their there these they this tokens two where whether width
"""
"""First words of function docstrings that are not verbs; words in a single final "s" are refused too."""

NO_NAMES = """
    again amid answered asked at behind beside beyond by drawn for given heard held here how into likewise lying
    made of on said taken there told unseen upon wanted what where which who whose why with without
"""
"""Prepositions, adverbs and lone participles: they do not say what a value is."""


def violations(tree: ast.AST, *, docstrings: bool = True) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each violation in a module."""
    for node in ast.walk(tree):
        if (name := _bound_name(node)) in NO_NAMES.split():
            yield node.lineno, f"name {name!r} does not say what it holds"  # type: ignore[attr-defined]
        if not docstrings:
            continue
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _property(node)
            if fault := _fault(text, function=function):
                yield getattr(node, "lineno", 1), fault
        for before, after in zip(_body(node), _body(node)[1:], strict=False):
            if isinstance(before, ast.Assign | ast.AnnAssign) and (fault := _fault(_text(after))):
                yield after.lineno, fault


def _fault(docstring: str, *, function: bool = False) -> str:
    first = docstring.split(maxsplit=1)[0].rstrip(",;:.").lower() if docstring.split() else ""
    if first in HEADLESS.split():
        return f"docstring begins with {first!r}: it cannot be read alone"
    if function and first and (first in NO_VERBS.split() or not re.fullmatch(r"[a-z-]*([^s]|ss)", first)):
        return f"function docstring begins with {first!r}, not with a verb in the imperative"
    return ""


def _bound_name(node: ast.AST) -> str:
    name = ""
    if isinstance(node, ast.arg):
        name = node.arg
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        name = node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        name = node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        name = node.attr
    return name.strip("_").lower()


def _property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def _body(node: ast.AST) -> list[ast.stmt]:
    body = getattr(node, "body", [])
    return body if isinstance(body, list) else []


def _text(statement: ast.stmt) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def main(arguments: list[str]) -> int:
    """Print violations beyond the baseline, or all of the files named; return the exit status."""
    chosen = [Path(item).resolve() for item in arguments if item != "--write"]
    allowed: dict[str, int] = {} if chosen else json.loads(BASELINE.read_text())
    files = chosen or [path for folder in (*DOCUMENTED, "tests") for path in (ROOT / folder).rglob("*.py")]
    counts = {}
    for path in sorted(files):
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(), name)
        faults = sorted(violations(tree, docstrings=name.split("/")[0] in DOCUMENTED))
        if faults:
            counts[name] = len(faults)
        if len(faults) > allowed.get(name, 0):
            print(*(f"{name}:{line}: {fault}" for line, fault in faults), sep="\n")
    if "--write" in arguments:
        BASELINE.write_text(json.dumps(counts, indent=1) + "\n")
        return 0
    return int(any(count > allowed.get(name, 0) for name, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
