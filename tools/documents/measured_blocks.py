"""Generated blocks of the documents: measured numbers between two markers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

DOCS = Path(__file__).parents[2] / "docs"


def replace_block(document: Path, name: str, text: str) -> None:
    """Put a text between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises:
        ValueError: The document does not have these markers once each, in this order.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = document.read_text(encoding="utf-8")
    parts = re.split(f"({re.escape(begin)}|{re.escape(end)})", whole)
    if parts[1::2] != [begin, end]:
        raise ValueError(f"{document}: expected {begin!r} and {end!r} once each, in this order")
    before, _, _, _, after = parts
    document.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def measured(
    document: str, block: str = ""
) -> Callable[[Callable[..., str | Mapping[str, str]]], Callable[[], None]]:
    """Make a command of a function that measures: it prints the result and writes it into a document.

    The function's parameters are the command's arguments and options, and its docstring is the help.

    Args:
        document: Path below `docs/`.
        block: The block that the function's text replaces. Without it the function returns texts by block.
    """

    def program(measure: Callable[..., str | Mapping[str, str]]) -> Callable[[], None]:
        def command(*, documents: Path, **options: Any) -> None:
            result = measure(**options)
            for name, text in ({block: result} if isinstance(result, str) else result).items():
                print(text)
                replace_block(documents / document, name, text)

        signature = inspect.signature(measure, eval_str=True)
        folder = inspect.Parameter("documents", inspect.Parameter.KEYWORD_ONLY, default=DOCS, annotation=Path)
        vars(command)["__signature__"] = signature.replace(
            parameters=[*signature.parameters.values(), folder], return_annotation=None
        )
        command.__doc__, command.__module__ = measure.__doc__, measure.__module__
        command.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        command.__annotations__["documents"] = Path
        return lambda: typer.run(command)

    return program
