"""The base of all kinds of plugins."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar


@dataclass(kw_only=True)
class Plugin:
    """A plugin: a name (its file's stem), a version, a citation and a configuration."""

    name: ClassVar[str]
    version: ClassVar[int]
    cite: ClassVar[str] = ""

    @property
    def params(self) -> dict[str, Any]:
        """The configuration as JSON values, in the order of the fields."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of those parameters that have one, as JSON values."""
        missing = dataclasses.MISSING
        return {
            f.name: f.default if f.default_factory is missing else f.default_factory()
            for f in dataclasses.fields(self)
            if f.init and not (f.default is missing and f.default_factory is missing)
        }

    @property
    def label(self) -> str:
        """Name and the parameters that differ from their defaults, as tables print it."""
        defaults = self.defaults
        changed = {
            name: value
            for name, value in self.params.items()
            if name not in defaults or value != defaults[name]
        }
        if not changed:
            return self.name
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in changed.items())})"

    @classmethod
    def summary(cls) -> str:
        """Return the docstring's first sentence."""
        return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").strip()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files and folders that `prepare` reads, such as weights that a parameter names.

        Their content is part of a measurement's identity: every file in a folder counts, whatever its name.
        """
        return ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Raise AttributeError, which names `prepare` where that sets the attribute."""
            prepared = (vars(each).get("prepare") for each in type(self).__mro__)
            if any(name in each.__code__.co_names for each in prepared if isinstance(each, FunctionType)):
                raise AttributeError(f'{type(self).__name__} has no {name!r} yet: call prepare("cpu") first')
            # What a property raised must not be lost.
            return object.__getattribute__(self, name)

    def prepare(self, device: str) -> None:
        """Load weights and heavy libraries; the only place that may. Called once a process.

        An attack is prepared anew in every process that guesses. Networks that the loaders of `pedbench.models` return
        are then there already. On an accelerator it is called with `cpu` first, and then with the device: what is
        loaded may move.

        Raises:
            PluginUnavailable: Something optional is not installed.
        """
