"""Origins of plugins. They are found without importing anything; `import_class` imports the class."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from pedbench.errors import PluginError
from pedbench.host.classes import subclasses
from pedbench.host.requirements import has_bench, remedy

Kind = Literal["attacks", "defenses", "datasets", "metrics", "probes", "codecs"]

KINDS: tuple[Kind, ...] = get_args(Kind)

BASES: dict[Kind, str] = {
    "attacks": "Attack",
    "defenses": "Defense",
    "datasets": "Dataset",
    "metrics": "Metric",
    "probes": "Probe",
    "codecs": "Codec",
}
"""Name of the class in `pedbench.base` from which plugins of each kind derive."""

_CLASS_LINE = re.compile(r"^class\s+\w+\s*\(([^)]*)\)", re.MULTILINE)


@dataclass(frozen=True)
class Origin:
    """The location of a plugin's class, from which another process can load it.

    Attributes:
        type: The kind of location.
        location: A module ("in-tree"), `module:Class` ("entry point") or an absolute file ("path").
        distribution: Name of the distribution that declares an entry point; else "".
        version: That distribution's version; else "".
    """

    type: Literal["in-tree", "entry point", "path"]
    location: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        if self.type == "entry point":
            return f"{self.location} of {self.distribution} {self.version}"
        return self.location


def in_tree(kind: Kind) -> Iterator[tuple[str, Origin]]:
    """Yield name and origin of pedbench's own plugins of a kind, sorted by file name."""
    for folder in _tree(kind):
        for file in sorted(folder.glob("[!_]*.py")):
            yield file.stem, _origin(kind, file)


def _tree(kind: Kind) -> list[Path]:
    """Return the folders of pedbench's own plugins of a kind."""
    if kind in ("attacks", "defenses", "datasets"):
        from pedbench import plugins

        return [Path(entry) / kind for entry in plugins.__path__]
    return [Path(__file__).parents[1] / kind]


def _origin(kind: Kind, file: Path) -> Origin:
    if file.parent.resolve() in [folder.resolve() for folder in _tree(kind)]:
        package = "pedbench.plugins" if kind in ("attacks", "defenses", "datasets") else "pedbench"
        return Origin("in-tree", f"{package}.{kind}.{file.stem}")
    return Origin("path", str(file))


def entry_points(kind: Kind) -> Iterator[tuple[str, Origin]]:
    """Yield name and origin of the plugins of a kind that installed distributions declare."""
    for point in importlib.metadata.entry_points(group=f"pedbench.{kind}"):
        distribution = point.dist.name if point.dist else "unknown"
        version = point.dist.version if point.dist else ""
        yield point.name, Origin("entry point", point.value, distribution, version)


def from_path(path: Path) -> Iterator[tuple[Kind, str, Origin]]:
    """Yield kind, name and origin of the plugins in a file, or in a folder and its subfolders named like a kind.

    The kind is read from the file's text, without running it. Files in folders that begin with `_` or `test_` are
    skipped.

    Raises:
        FileNotFoundError: The path does not exist.
        PluginError: A file's text does not show its kind.
    """
    path = path.expanduser().resolve()
    if path.is_file():
        kind = _kind_of(path)
        yield kind, path.stem, _origin(kind, path)
    elif path.is_dir():
        for folder in (path, *(path / kind for kind in KINDS)):
            for file in sorted(folder.glob("[!_]*.py")):
                if not file.name.startswith("test_"):
                    kind = _kind_of(file)
                    yield kind, file.stem, _origin(kind, file)
    else:
        raise FileNotFoundError(f"--plugin: there is no file or folder {path}.")


def _kind_of(file: Path) -> Kind:
    bases = {
        base.strip().rpartition(".")[2]
        for listed in _CLASS_LINE.findall(file.read_text(encoding="utf-8"))
        for base in listed.split(",")
    }
    # The name of a shared base ends with its kind, as in PretrainedAttack.
    kinds = [kind for kind, base in BASES.items() if any(name.endswith(base) for name in bases)]
    kinds = kinds or [kind for kind in KINDS if file.parent.name == kind]
    if len(kinds) != 1:
        raise PluginError(
            f"{file}: cannot tell which kind of plugin this is. A plugin file defines one class that derives "
            f"from one of {', '.join(BASES.values())}; other files in the folder should begin with '_'."
        )
    return kinds[0]


def source_file(origin: Origin) -> Path:
    """Return the file of a plugin, without importing it.

    Raises:
        FileNotFoundError: There is none.
    """
    if origin.type == "path":
        return Path(origin.location)
    module = origin.location.partition(":")[0]
    if origin.type == "in-tree":
        from pedbench import plugins

        places = [Path(folder) for folder in plugins.__path__]
        parts = module.removeprefix("pedbench.plugins.").split(".")
        if not module.startswith("pedbench.plugins."):
            places, parts = [Path(__file__).parents[1]], parts[1:]
    else:
        places, parts = [Path(folder) for folder in sys.path], module.split(".")
        top = importlib.util.find_spec(parts[0])
        # An editable package may lie where no folder on the path tells.
        if top is not None and top.origin:
            places.append(Path(top.origin).parents[1 if top.submodule_search_locations is not None else 0])
    for place in places:
        for file in (place.joinpath(*parts).with_suffix(".py"), place.joinpath(*parts, "__init__.py")):
            if file.is_file():
                return file
    raise FileNotFoundError(f"{origin} has no source file: define each plugin in its own file")


def import_class(kind: Kind, name: str, origin: Origin) -> type[Any]:
    """Import a plugin's class.

    Raises:
        PluginError: The import fails (the reason is the exception's cause), or it does not give one valid plugin of
            that kind and name.
    """
    try:
        if origin.type == "path":
            found: object = _import_file(Path(origin.location))
        else:
            module_name, _, attribute = origin.location.partition(":")
            found = importlib.import_module(module_name)
            found = getattr(found, attribute) if attribute else found
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError) and not has_bench():
            reason = remedy(error)
        plugin = f"{BASES[kind].lower()} {name!r} ({origin})"
        raise PluginError(f"{plugin} cannot be imported: {reason}") from error
    if isinstance(found, ModuleType):
        found = _only_plugin(kind, found, origin)
    return _valid_class(kind, name, found, origin)


def _import_file(file: Path) -> ModuleType:
    # The digest covers path and content, so that a plugin edited during a session is imported again.
    digest = hashlib.sha256(str(file).encode() + b"\0" + file.read_bytes()).hexdigest()
    name = f"pedbench_plugin_{digest[:8]}_{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _only_plugin(kind: Kind, module: ModuleType, origin: Origin) -> type[Any]:
    from pedbench import base

    base_class = getattr(base, BASES[kind])
    found = subclasses(vars(module).values(), base_class)
    classes = {value for value in found if value.__module__ == module.__name__}
    classes -= {parent for each in classes for parent in each.__mro__[1:]}
    if len(classes) != 1:
        listed = ", ".join(sorted(each.__name__ for each in classes)) or "none"
        raise PluginError(
            f"{origin}: expected exactly one subclass of {base_class.__name__}, found {listed}."
        )
    return classes.pop()


def _valid_class(kind: Kind, name: str, found: object, origin: Origin) -> type[Any]:
    from pedbench import base

    base_class = getattr(base, BASES[kind])
    if not (isinstance(found, type) and issubclass(found, base_class)):
        raise PluginError(f"{origin}: expected a subclass of {base_class.__name__}, found {found!r}.")
    if getattr(found, "name", None) != name:
        declared = getattr(found, "name", "no name")
        raise PluginError(f"{origin}: the class must be named {name!r} like its file, found {declared!r}.")
    if type(getattr(found, "version", None)) is not int:
        raise PluginError(f"{origin}: {found.__name__} needs a class constant `version` that is an int.")
    if "__dataclass_fields__" not in vars(found):
        raise PluginError(f"{origin}: {found.__name__} must be decorated with @dataclass(kw_only=True).")
    constructor = vars(found).get("__init__")
    if constructor is not None and constructor.__code__.co_filename != "<string>":
        raise PluginError(
            f"{origin}: {found.__name__} defines `__init__`, which may drop parameters: leave it to the dataclass, and "
            "check values in `__post_init__`."
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise PluginError(f"{origin}: {found.__name__} does not define {', '.join(missing)}.")
    from pedbench.registry.constants import check_constants

    try:
        check_constants(found)
    except PluginError as error:
        raise PluginError(f"{origin}: {error}") from None
    return found
