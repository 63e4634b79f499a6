"""Reading and writing suites as TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from pedbench.errors import suggestion
from pedbench.suites import choices, schema
from pedbench.suites.schema import Suite

FOLDER = Path(__file__).parent

MOST_BYTES = 500_000
"""Largest size of a suite's file."""

_MOST_DOTS = 200
"""Largest number of dots in a line: reading a key takes time with the square of its parts."""

_MOST_SENTENCES = 20
"""Largest number of sentences about one file."""


class SuiteError(ValueError):
    """A suite is unknown, or its file says something that a suite cannot say."""


def suite_names() -> list[str]:
    """Return the names of the suites that pedbench brings."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def load_suite(name_or_path: str) -> Suite:
    """Read one of pedbench's suites by its name, or a suite file by its path.

    Raises:
        SuiteError: The name is unknown, or the file is not a suite; the message says where and why.
        FileNotFoundError: There is no such file.
    """
    if name_or_path in suite_names():
        path = FOLDER / f"{name_or_path}.toml"
    elif name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no suite file {path}.")
    else:
        known = suite_names()
        raise SuiteError(
            f"there is no suite named {name_or_path!r}{suggestion(name_or_path, known)}. "
            f"Known suites: {', '.join(known)}; or give the path of a .toml file."
        )
    return _validated(_read(path), path)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SuiteError(f"{path}: a suite has at most {MOST_BYTES} bytes: is this another file?")
    if any(line.count(b".") > _MOST_DOTS for line in content.splitlines()):
        raise SuiteError(f"{path}: a line has more than {_MOST_DOTS} dots: is this another file?")
    try:
        data = tomllib.loads(content.decode("utf-8-sig"))
        _refuse_large(data)
    # Not all that is wrong with TOML is a `TOMLDecodeError`.
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"{path} is not TOML: {error}.") from None
    return data


def _refuse_large(value: Any) -> None:
    """Refuse whole numbers that TOML does not have: they may be longer than Python can write."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a whole number does not fit into 64 bits")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_large(item)


def _validated(data: dict[str, Any], path: Path) -> Suite:
    try:
        return Suite.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        sentences = [_sentence(path, details) for details in found[:_MOST_SENTENCES]]
        if len(found) > _MOST_SENTENCES:
            sentences.append(f"{path}: and {len(found) - _MOST_SENTENCES} more.")
        raise SuiteError("\n".join(sentences)) from None


def _sentence(path: Path, details: Any) -> str:
    loc = [str(part)[:80] for part in details["loc"]]
    if details["type"] == "extra_forbidden":
        fields = {name for model in _models() for name in model.model_fields}
        return f"{path}: {'.'.join(loc)}: unknown key {loc[-1]!r}{suggestion(loc[-1], fields)}."
    if details["type"] == "missing":
        return f"{path}: {'.'.join(loc)}: this key is missing."
    expected = details["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{path}: {'.'.join(loc)}: {expected}, found {repr(details['input'])[:80]}."


def _models() -> list[type[BaseModel]]:
    found = [value for module in (choices, schema) for value in vars(module).values()]
    return [value for value in found if isinstance(value, type) and issubclass(value, BaseModel)]


def to_toml(suite: Suite) -> str:
    """Return a suite as TOML that `load_suite` reads back as an equal suite."""
    return tomli_w.dumps(suite.model_dump(exclude_none=True))
