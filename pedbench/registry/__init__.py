"""All plugins by kind and name. Listing imports no plugin; loading checks the plugin and its parameters."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pedbench.errors import PluginError
from pedbench.registry.origins import (
    BASES,
    KINDS,
    Kind,
    Origin,
    entry_points,
    from_path,
    import_class,
    in_tree,
)

if TYPE_CHECKING:
    from pedbench.base import Plugin

__all__ = [
    "KINDS",
    "Kind",
    "Origin",
    "PluginError",
    "PluginSpec",
    "Registry",
    "file_hash",
    "load",
    "source_hash",
]


@dataclass(frozen=True)
class PluginSpec:
    """A configured plugin as plain data, from which `load` builds it in any process."""

    kind: Kind
    name: str
    origin: Origin
    params: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PluginSpec:
        data = json.loads(text)
        return cls(data["kind"], data["name"], Origin(**data["origin"]), data["params"])


class Registry:
    """All plugins of pedbench, of installed extensions and of further files.

    Args:
        paths: Python files or folders with plugins (`--plugin`).
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self.paths = tuple(paths)
        self._origins: dict[Kind, dict[str, Origin]] = {}
        self._from_paths: list[tuple[Kind, str, Origin]] = [
            entry for path in self.paths for entry in from_path(path)
        ]

    def origins(self, kind: Kind) -> Mapping[str, Origin]:
        """Return the origins of all plugins of a kind by name, sorted. Imports no plugin.

        Raises:
            PluginError: Two plugins have the same name.
        """
        if kind not in self._origins:
            origins: dict[str, Origin] = {}
            for name, origin in self._candidates(kind):
                if name in origins and origins[name] != origin:
                    raise PluginError(
                        f"two {kind} are named {name!r}: {origins[name]} and {origin}. "
                        "Rename or uninstall one of them."
                    )
                origins[name] = origin
            self._origins[kind] = dict(sorted(origins.items()))
        return self._origins[kind]

    def origin(self, kind: Kind, name: str) -> Origin:
        """Return the origin of a plugin.

        Raises:
            PluginError: The name is unknown; the message suggests the nearest known name.
        """
        known = self.origins(kind)
        if name not in known:
            from pedbench.errors import suggestion

            raise PluginError(
                f"there is no {BASES[kind].lower()} named {name!r}{suggestion(name, known)}. "
                f"Known {kind}: {', '.join(known) or 'none'}."
            )
        return known[name]

    def plugin_class(self, kind: Kind, name: str) -> type[Plugin]:
        """Import a plugin's class; see `origins.import_class` for errors."""
        return import_class(kind, name, self.origin(kind, name))

    def spec(self, kind: Kind, name: str, params: Mapping[str, Any]) -> PluginSpec:
        """Return a configured plugin as plain data. The name must be known; `load` checks everything else."""
        return PluginSpec(kind, name, self.origin(kind, name), params)

    def create(self, kind: Kind, name: str, params: Mapping[str, Any]) -> Any:
        """Build a plugin of `kind`.

        Raises:
            PluginError: The name is unknown, the plugin is broken or a parameter is wrong.
        """
        return load(self.spec(kind, name, params))

    def _candidates(self, kind: Kind) -> Iterator[tuple[str, Origin]]:
        yield from in_tree(kind)
        yield from entry_points(kind)
        yield from ((name, origin) for own_kind, name, origin in self._from_paths if own_kind == kind)


def load(spec: PluginSpec) -> Any:
    """Build the plugin that a specification describes, in any process.

    Raises:
        PluginError: The plugin is broken or a parameter is wrong.
    """
    from pedbench.registry.constants import check_constants
    from pedbench.registry.parameters import check_values, checked

    plugin = import_class(spec.kind, spec.name, spec.origin)
    params = checked(plugin, spec.params)
    try:
        built = plugin(**params)
        check_constants(built)
        check_values(built)
    except ValueError as error:
        raise PluginError(f"{BASES[spec.kind].lower()} {spec.name}: {error}") from error
    return built


def source_hash(plugin: type[Any]) -> str:
    """Return the SHA-256 of the syntax tree of the file that defines a class, without docstrings and comments.

    Raises:
        PluginError: The class has no source file.
    """
    try:
        file = inspect.getsourcefile(plugin)
    except TypeError:
        file = None
    if file is None or not Path(file).is_file():
        raise PluginError(f"{plugin.__name__} has no source file: define each plugin in its own file.")
    return file_hash(Path(file))


def file_hash(file: Path) -> str:
    """Return `source_hash` of a file."""
    return _text_hash(file.read_text(encoding="utf-8"))


@cache
def _text_hash(source: str) -> str:
    return hashlib.sha256(_dump(ast.parse(source)).encode()).hexdigest()


def _dump(node: Any) -> str:
    """Return a syntax tree as text. `ast.dump` writes empty fields differently in different Python versions."""
    if isinstance(node, list):
        return f"[{','.join(_dump(item) for item in node)}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list) and _is_docstring(value):
            value = value[1:]
        if value is not None and value != []:
            parts.append(f"{name}={_dump(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _is_docstring(body: list[ast.stmt]) -> bool:
    first = body[0] if body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
