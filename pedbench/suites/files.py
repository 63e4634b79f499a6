"""Reading and writing suites as TOML files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from pydantic import BaseModel, ValidationError

from pedbench.errors import suggestion
from pedbench.host.classes import subclasses
from pedbench.suites import choices, schema
from pedbench.suites.schema import Suite

FOLDER = Path(__file__).parent

MOST_BYTES = 500_000
"""Largest size of a suite's file."""

_MOST_DOTS = 200
"""Largest number of dots in a line: reading a key takes time with the square of its parts."""

_MOST_SENTENCES = 20
"""Largest number of sentences about one file."""


_LISTS = ("defenses", "attacks", "metrics", "probes")
"""Lists of plugins, to which a suite adds where it includes another; its other keys replace."""


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
    path = _path(name_or_path, Path())
    return _validated(_with_included(_read(path), [path]), path)


def load_whole_suite(path: Path) -> Suite:
    """Read a suite file that includes no other: those of runs, which may come from elsewhere.

    Raises:
        SuiteError: The file is not such a suite; the message says where and why.
        FileNotFoundError: There is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no suite file {path}.")
    return _validated(_read(path), path)


def _path(name_or_path: str, folder: Path) -> Path:
    """Return the file of a suite; paths are relative to a folder."""
    known = suite_names()
    if name_or_path in known:
        return FOLDER / f"{name_or_path}.toml"
    if not name_or_path.endswith(".toml"):
        raise SuiteError(
            f"there is no suite named {name_or_path!r}{suggestion(name_or_path, known)}. "
            f"Known suites: {', '.join(known)}; or give the path of a .toml file."
        )
    path = folder / name_or_path
    if not path.is_file():
        raise FileNotFoundError(f"there is no suite file {path}.")
    return path


def _with_included(data: dict[str, Any], chain: Sequence[Path]) -> dict[str, Any]:
    """Merge a suite with the one that its key `include` names.

    Args:
        data: Content of the suite's file.
        chain: Files from the first to this one, each of which includes the next.
    """
    own = chain[-1]
    named, dropped = data.get("include"), data.get("drop", [])
    if not isinstance(named, str | None):
        raise SuiteError(f"{own}: include: expected the name or the path of a suite, found {named!r}.")
    if named is None:
        if "drop" in data:
            raise SuiteError(f"{own}: drop: it takes names from an included suite: add include = NAME.")
        return data
    try:
        path = _path(named, own.parent)
    except (SuiteError, FileNotFoundError) as error:
        raise SuiteError(f"{own}: include: {error}") from None
    if path.resolve() in [each.resolve() for each in chain]:
        circle = " -> ".join(str(each) for each in [*chain, path])
        raise SuiteError(f"{own}: include: suites include each other: {circle}.")
    base = _with_included(_read(path), [*chain, path])
    _validated(base, path)
    # A suite with other content is another suite, whatever it starts from.
    merged = {key: value for key, value in base.items() if key not in ("name", "version")}
    merged = _drop(merged, dropped, own)
    for key, value in data.items():
        before = merged.get(key)
        if key in _LISTS and isinstance(value, list) and isinstance(before, list):
            merged[key] = [*before, *value]
        elif isinstance(value, dict) and isinstance(before, dict):
            renamed = value.get("name", before.get("name")) != before.get("name")
            merged[key] = value if renamed else {**before, **value}
        elif key not in ("include", "drop"):
            merged[key] = value
    return merged


def _drop(data: dict[str, Any], dropped: Any, path: Path) -> dict[str, Any]:
    """Return a suite's content without some plugins and what refers to them."""
    if not isinstance(dropped, list) or not all(isinstance(name, str) for name in dropped):
        raise SuiteError(f"{path}: drop: expected a list of names, found {dropped!r}.")
    known = {_name(item) for key in _LISTS for item in data.get(key, [])}
    for name in dropped:
        if name not in known:
            near = suggestion(name, known)
            raise SuiteError(f"{path}: drop: the included suite has nothing named {name!r}{near}.")
    kept = {
        key: [
            _without_references(item, dropped)
            for item in value
            if key not in _LISTS or _name(item) not in dropped
        ]
        if isinstance(value, list)
        else _without_references(value, dropped)
        for key, value in data.items()
    }
    if _name(kept.get("compare_with")) in dropped:
        del kept["compare_with"]
    return kept


def _without_references(item: Any, dropped: Sequence[str]) -> Any:
    """Return a table without dropped names in its lists of attacks."""
    if not isinstance(item, dict):
        return item
    return {
        key: [name for name in value if name not in dropped]
        if key in ("attacks", "read_outs") and isinstance(value, list)
        else value
        for key, value in item.items()
    }


def _name(item: Any) -> Any:
    return item.get("name") if isinstance(item, dict) else item


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SuiteError(f"{path}: a suite has at most {MOST_BYTES} bytes: is this another file?")
    if any(line.count(b".") > _MOST_DOTS for line in content.splitlines()):
        raise SuiteError(f"{path}: a line has more than {_MOST_DOTS} dots: is this another file?")
    try:
        data = tomli.loads(content.decode("utf-8-sig"))
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
        fields = {"include", "drop"} | {name for model in _models() for name in model.model_fields}
        return f"{path}: {'.'.join(loc)}: unknown key {loc[-1]!r}{suggestion(loc[-1], fields)}."
    if details["type"] == "missing":
        return f"{path}: {'.'.join(loc)}: this key is missing."
    expected = details["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{path}: {'.'.join(loc)}: {expected}, found {repr(details['input'])[:80]}."


def _models() -> list[type[BaseModel]]:
    found = [value for module in (choices, schema) for value in vars(module).values()]
    return subclasses(found, BaseModel)


def to_toml(suite: Suite) -> str:
    """Return a suite as TOML that `load_suite` reads back as an equal suite."""
    return tomli_w.dumps(suite.model_dump(exclude_none=True))
