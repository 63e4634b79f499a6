"""The small install runs on the oldest Python: it imports nothing that later ones brought."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

OLDEST = re.search(r'requires-python = ">=([\d.]+)"', Path("pyproject.toml").read_text(encoding="utf-8"))[1]  # type: ignore[index]

LOADED = """
import json, sys
import pedbench.cli, pedbench.engines.runner, pedbench.offload.servers.server
print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "pedbench"]))
"""

LACKING = """
import importlib, json, sys
pairs = json.load(sys.stdin)
lacking = []
for module, name in pairs:
    try:
        found = importlib.import_module(module)
        if name and not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")
    except ImportError:
        lacking.append(f"{module} {name}")
print(json.dumps(lacking))
"""


def interpreters() -> Iterator[str]:
    """Yield what may be the oldest Python."""
    if found := shutil.which(f"python{OLDEST}"):
        yield found
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, root.glob(f"versions/{OLDEST}.*/bin/python"))


@pytest.fixture(scope="module")
def oldest() -> str:
    for path in interpreters():
        done = subprocess.run([path, "-V"], capture_output=True, text=True, check=False)
        if done.stdout.startswith(f"Python {OLDEST}."):
            return path
    pytest.skip(f"no python{OLDEST} here")


def imports(file: str) -> Iterator[tuple[str, str]]:
    """Yield modules of the standard library that a file imports at its top, and names from them."""
    for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if standard(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and standard(node.module):
            yield from ((node.module, alias.name) for alias in node.names)


def standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def test_imports_are_there_on_the_oldest_python(oldest: str) -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    files = [file for file in json.loads(loaded.stdout) if file]
    pairs = sorted({pair for file in files for pair in imports(file)})
    assert ("dataclasses", "dataclass") in pairs
    done = subprocess.run(
        [oldest, "-c", LACKING], input=json.dumps(pairs), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
