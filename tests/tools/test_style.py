"""The style lint, on sentences and names of both kinds."""

import ast

import pytest

from tools import style


@pytest.mark.parametrize(
    "source",
    [
        '"""What a run makes."""',
        'class Sum:\n    """Of all windows."""',
        'LIMIT = 3\n"""As many as fit."""',
        'def area():\n    """The area in pixels."""',
        'def area():\n    """Pixels of the area."""',
        'def area():\n    """(H, W) of the area."""',
        "def area(of): ...",
        "held = 3",
        "self._told = 3",
    ],
)
def test_headless_sentences_and_names_are_found(source: str) -> None:
    assert len(list(style.violations(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""Windows of a picture."""',
        'def area(mask):\n    """Compress the area, then return its pixels."""',
        '@property\ndef area():\n    """The area in pixels."""',
        'LIMIT = 3\n"""Windows in a batch."""',
        "def area(): ...",
    ],
)
def test_sentences_that_can_be_read_alone_pass(source: str) -> None:
    assert not list(style.violations(ast.parse(source)))
