"""Classes of notebooks as text that another process can run."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from itertools import count
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pedbench.errors import PluginError
from pedbench.registry.source_of_class import standalone

Notebook = Callable[[str], dict[str, Any]]

IMPORTS = """
import numpy as np
import PIL.Image
from dataclasses import dataclass
from scipy import ndimage as images
from typing import Literal
from pedbench.base import Attack
from pedbench.types import Picture, View
"""

HELPERS = """
STRENGTHS = {"weak": (0.25, 1), "strong": (0.75, 2)}
ACTIVE, sum = True, len
truth = np.ones((4, 4, 3))

def level(strength):
    return STRENGTHS[strength][0] + halved(0) if ACTIVE and sum("ab") == 2 else 1

def halved(value):
    return level("weak") if value > 9 else value / 2
"""

PLUGIN = """
@dataclass(kw_only=True)
class Grey(Attack):
    'Paint all grey.'

    name = "grey"
    version = 1
    needs = frozenset({"nothing"})
    strength: Literal["weak", "strong"] = "weak"

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        truth = np.full((*view.frame_size, 3), level(self.strength), np.float32)
        assert PIL.Image.fromarray(np.zeros((2, 2), np.uint8)).size == (2, 2)
        return images.gaussian_filter(truth, 1)
"""


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """Runs cells one after the other, with their text where IPython keeps it."""
    module = ModuleType("a_notebook")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    numbers = count(1)
    files = []

    def run(cell: str) -> dict[str, Any]:
        file = f"/nowhere/cell_{next(numbers)}.py"
        files.append(file)
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), vars(module))
        return vars(module)

    yield run
    for file in files:
        del linecache.cache[file]


def test_a_class_takes_along_what_it_uses_and_nothing_else(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cell in (IMPORTS, HELPERS, PLUGIN):
        found = notebook(cell)
    text = standalone(found["Grey"])
    assert "truth = np.ones" not in text
    elsewhere = ModuleType("elsewhere")
    monkeypatch.setitem(sys.modules, elsewhere.__name__, elsewhere)
    exec(text, vars(elsewhere))
    copied = vars(elsewhere)["Grey"](strength="strong")

    class View:
        frame_size = (5, 6)

    guess = copied.reconstruct(View(), np.random.default_rng(0))
    assert guess.shape == (5, 6, 3)
    assert np.allclose(guess, 0.75)
    assert copied.params == {"strength": "strong"}


@pytest.mark.parametrize(
    ("helpers", "sentence"),
    [
        (
            "level = np.ones(3)",
            r"Grey uses 'level' \(ndarray\), which cannot be sent to other processes: make it in `prepare`",
        ),
        ("level = [np.float32]", r"Grey uses 'level' \(list of other things than numbers and words\)"),
        ("level = lambda strength: 0.5", r"source of <lambda> cannot be found"),
        ("exec('def level(strength): return 0.5')", r"source of level cannot be found"),
        ("def make():\n    def level(): ...\n    return level\nlevel = make()", r"defined within a function"),
    ],
)
def test_unsendable_values_are_refused(notebook: Notebook, helpers: str, sentence: str) -> None:
    for cell in (IMPORTS, helpers, PLUGIN):
        found = notebook(cell)
    with pytest.raises(PluginError, match=sentence):
        standalone(found["Grey"])
