"""Copy a class out of a notebook, script or test into a module that other processes can import.

The class and everything that it uses are copied as source text. Values other than plain constants are refused, so that
no array and no dataset of the notebook can reach an attack's process.
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


def standalone(target: type[Any]) -> str:
    """Return the source of a module that defines a class together with everything that it uses.

    Names are looked up in the class's own module. The new module imports modules and names that another module
    defines. It contains copies of functions and classes of the class's own module, with everything that they use,
    and of numbers, strings and collections of these.

    Raises:
        PluginError: There is no source, or the class uses something else, e.g. an array or a network.
    """
    module = _Module(target)
    module.add(target.__name__, target)
    head = ["from __future__ import annotations", *module.imports]
    return "\n".join([*head, "", *module.constants, "", *module.definitions, ""])


class _Module:
    """The module that is being assembled."""

    def __init__(self, target: type[Any]) -> None:
        self._target = target.__name__
        self._home = target.__module__
        if self._home not in sys.modules:
            raise PluginError(f"the module {self._home} of {self._target} is not loaded: import it again.")
        self._namespace = vars(sys.modules[self._home])
        self._known: set[str] = set()
        self.imports: list[str] = []
        self.constants: list[str] = []
        self.definitions: list[str] = []

    def add(self, name: str, value: Any) -> None:
        """Add a name to the module, after all names that it uses."""
        if name in self._known:
            return
        self._known.add(name)
        if isinstance(value, ModuleType):
            self.imports.append(f"import {value.__name__}{_renamed(value.__name__, name)}")
        elif isinstance(value, _PLAIN):
            self.constants.append(f"{name} = {self._literal(name, value)}")
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
        """Return the modules that a text reaches as attributes of other modules, as in `import PIL.Image`."""
        submodules = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute):
                head, _, rest = ast.unparse(node).partition(".")
                module = self._namespace.get(head)
                if isinstance(module, ModuleType) and f"{module.__name__}.{rest}" in sys.modules:
                    submodules.add(f"{module.__name__}.{rest}")
        return submodules

    def _literal(self, name: str, value: Any) -> str:
        plain = set(value) if isinstance(value, frozenset) else value
        try:
            same = ast.literal_eval(repr(plain)) == plain
        except (ValueError, SyntaxError):
            same = False
        if not same:
            raise self._refusal(name, f"{type(value).__name__} of other things than numbers and words")
        return repr(value)

    def _import_of(self, name: str, value: Any) -> str:
        origin, own = getattr(value, "__module__", None), getattr(value, "__name__", name)
        candidates = [(origin, own), *((module, name) for module in sorted(sys.modules, key=len))]
        for module_name, attribute in candidates:
            module = sys.modules.get(module_name) if isinstance(module_name, str) else None
            if module_name in (self._home, "__main__", "__mp_main__") or not isinstance(module, ModuleType):
                continue
            if vars(module).get(attribute) is value:
                return f"from {module_name} import {attribute}{_renamed(attribute, name)}"
        raise self._refusal(name, type(value).__name__)

    def _refusal(self, name: str, kind: str) -> PluginError:
        return PluginError(
            f"{self._target} uses {name!r} ({kind}), which cannot be sent to other processes: make it in "
            "`prepare`, make it a parameter, or put the class into a plugin file (pedbench new)."
        )


def _renamed(own: str, name: str) -> str:
    return "" if own == name else f" as {name}"


def _is_definition(value: Any) -> bool:
    return isinstance(inspect.unwrap(value) if callable(value) else value, type | FunctionType)


def _builtin(name: str, value: Any) -> bool:
    """Return whether a name needs no import. IPython replaces Python's `open` with its own."""
    own = getattr(value, "__module__", None) or ""
    return hasattr(builtins, name) and (value is getattr(builtins, name) or own.startswith("IPython."))


def _used_names(text: str) -> set[str]:
    """Return the global names that a definition uses."""
    return set(_global_names(symtable(text, "definition", "exec")))


def _global_names(table: SymbolTable) -> Iterator[str]:
    outermost = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_global() or (outermost and symbol.is_referenced()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _global_names(inner)


def _source(value: Any) -> str:
    """Return the text of a definition at the top level of a file or of a notebook's cell."""
    if "<locals>" in value.__qualname__:
        raise PluginError(
            f"{value.__qualname__} is defined within a function: only definitions at the top level of a "
            "notebook's cell or of a file can be sent to other processes."
        )
    file, line = _location(inspect.unwrap(value))
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


def _location(value: Any) -> tuple[str, int]:
    """Return the file (or a notebook cell's pseudo-file) and a line of a definition.

    A class in a notebook has no file, but its methods have.
    """
    if isinstance(value, FunctionType):
        return value.__code__.co_filename, value.__code__.co_firstlineno
    for member in vars(value).values():
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        own = isinstance(function, FunctionType) and function.__module__ == value.__module__
        if own and not function.__code__.co_filename.startswith("<string>"):
            return function.__code__.co_filename, function.__code__.co_firstlineno
    try:
        return inspect.getsourcefile(value) or "", inspect.getsourcelines(value)[1]
    except (OSError, TypeError):
        return "", 0
