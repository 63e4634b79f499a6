"""The source of a class as a module of its own, for classes that lie in no plugin file.

Classes of notebooks, scripts and tests reach other processes as text: what they use comes along by name, never
by value, so that no array and no dataset that happens to be there can follow an attack into its process.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterator
from symtable import SymbolTable, symtable
from types import FunctionType, ModuleType
from typing import Any

from pedbench.errors import PluginError

_PLAIN = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, type(None))


def standalone(wanted: type[Any]) -> str:
    """Write a module that defines a class together with everything that it uses.

    Names are looked up where the class was defined. Modules, and what can be imported from one, are imported;
    functions and classes defined beside it are copied with what they use; so are numbers, words and
    collections of them.

    Raises:
        PluginError: There is no source, or the class uses something else, e.g. an array or a network.
    """
    module = _Module(wanted)
    module.add(wanted.__name__, wanted)
    head = ["from __future__ import annotations", *module.imports]
    return "\n".join([*head, "", *module.constants, "", *module.definitions, ""])


class _Module:
    """The module that is being put together."""

    def __init__(self, wanted: type[Any]) -> None:
        self._wanted = wanted.__name__
        self._home = wanted.__module__
        if self._home not in sys.modules:
            raise PluginError(f"the module {self._home} of {self._wanted} is gone: import it again.")
        self._namespace = vars(sys.modules[self._home])
        self._known: set[str] = set()
        self.imports: list[str] = []
        self.constants: list[str] = []
        self.definitions: list[str] = []

    def add(self, name: str, value: Any) -> None:
        """Take in a name, after the names that it uses."""
        if name in self._known:
            return
        self._known.add(name)
        if isinstance(value, ModuleType):
            self.imports.append(f"import {value.__name__}{_renamed(value.__name__, name)}")
        elif isinstance(value, _PLAIN):
            self.constants.append(f"{name} = {self._spelt(name, value)}")
        elif getattr(value, "__module__", None) == self._home and _is_definition(value):
            self._copy(name, value)
        else:
            self.imports.append(self._import_of(name, value))

    def _copy(self, name: str, value: Any) -> None:
        text = _source(value)
        for used in sorted(_used_names(text)):
            if used in self._namespace and not _builtin(used, self._namespace[used]):
                self.add(used, self._namespace[used])
        self.imports += [f"import {module}" for module in sorted(self._submodules(text))]
        own = str(value.__name__)
        self._known.add(own)
        self.definitions += [text, "", f"{name} = {own}" if name != own else ""]

    def _submodules(self, text: str) -> set[str]:
        """Modules that are reached as attributes of others, as in `import PIL.Image`."""
        found = set()
        for node in ast.walk(ast.parse(text)):
            head, _, rest = (
                ast.unparse(node).partition(".") if isinstance(node, ast.Attribute) else ("", "", "")
            )
            module = self._namespace.get(head)
            if isinstance(module, ModuleType) and f"{module.__name__}.{rest}" in sys.modules:
                found.add(f"{module.__name__}.{rest}")
        return found

    def _spelt(self, name: str, value: Any) -> str:
        text = repr(value)
        listed = set(value) if isinstance(value, frozenset) else value
        try:
            same = ast.literal_eval(repr(listed)) == listed
        except (ValueError, SyntaxError):
            same = False
        if not same:
            raise self._refused(name, f"{type(value).__name__} of other things than numbers and words")
        return text

    def _import_of(self, name: str, value: Any) -> str:
        origin, own = getattr(value, "__module__", None), getattr(value, "__name__", name)
        places = [(origin, own), *((module, name) for module in sorted(sys.modules, key=len))]
        for module, attribute in places:
            found = sys.modules.get(module) if isinstance(module, str) else None
            if module in (self._home, "__main__", "__mp_main__") or not isinstance(found, ModuleType):
                continue
            if vars(found).get(attribute) is value:
                return f"from {module} import {attribute}{_renamed(attribute, name)}"
        raise self._refused(name, type(value).__name__)

    def _refused(self, name: str, what: str) -> PluginError:
        return PluginError(
            f"{self._wanted} uses {name!r} ({what}), which cannot follow it into other processes: make it in "
            "`prepare`, make it a parameter, or put the class into a plugin file (pedbench new)."
        )


def _renamed(own: str, name: str) -> str:
    return "" if own == name else f" as {name}"


def _is_definition(value: Any) -> bool:
    return isinstance(inspect.unwrap(value) if callable(value) else value, type | FunctionType)


def _builtin(name: str, value: Any) -> bool:
    """What is there without an import. IPython puts an `open` of its own in the place of Python's."""
    own = getattr(value, "__module__", None) or ""
    return hasattr(builtins, name) and (value is getattr(builtins, name) or own.startswith("IPython."))


def _used_names(text: str) -> set[str]:
    """Names that a definition takes from around it."""
    return set(_free(symtable(text, "definition", "exec")))


def _free(table: SymbolTable) -> Iterator[str]:
    outermost = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_global() or (outermost and symbol.is_referenced()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _free(inner)


def _source(value: Any) -> str:
    """The text of a definition at the top level of a file or of a notebook's cell."""
    if "<locals>" in value.__qualname__:
        raise PluginError(
            f"{value.__qualname__} is defined within a function: only definitions at the top level of a "
            "notebook's cell or of a file can follow into other processes."
        )
    file, line = _place(inspect.unwrap(value))
    lines = linecache.getlines(file) if file else []
    try:
        nodes = [
            node
            for node in ast.walk(ast.parse("".join(lines)))
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
            and node.name == value.__name__
            and _first_line(node) <= line <= (node.end_lineno or 0)
        ]
    except SyntaxError:
        nodes = []
    if not nodes:
        raise PluginError(
            f"the source of {value.__qualname__} cannot be found: define it in a file or in a notebook."
        )
    return textwrap.dedent("".join(lines[_first_line(nodes[-1]) - 1 : nodes[-1].end_lineno])).strip()


def _first_line(node: ast.ClassDef | ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _place(value: Any) -> tuple[str, int]:
    """File, or what stands for it, and a line within a definition.

    A class in a notebook has no file, but its methods do.
    """
    if isinstance(value, FunctionType):
        return value.__code__.co_filename, value.__code__.co_firstlineno
    for member in vars(value).values():
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        written = isinstance(function, FunctionType) and function.__module__ == value.__module__
        if written and not function.__code__.co_filename.startswith("<string>"):
            return function.__code__.co_filename, function.__code__.co_firstlineno
    try:
        return inspect.getsourcefile(value) or "", inspect.getsourcelines(value)[1]
    except (OSError, TypeError):
        return "", 0
