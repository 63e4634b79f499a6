"""Errors of the package, and hints that their messages share."""

import difflib
import sysconfig
import traceback
from collections.abc import Iterable
from errno import EACCES
from pathlib import Path


class CheckpointError(ValueError):
    """Weights that cannot be used: a line on what was found, a line on what was expected and what to do."""


class MissingWeightsError(CheckpointError):
    """Weights that are not on this machine."""


class PluginError(ValueError):
    """A plugin is unknown, ambiguous, broken or wrongly configured."""


class PluginUnavailable(RuntimeError):
    """Something optional that a plugin needs is not installed, so its measurements are skipped.

    The message says what is missing, and how to get it.
    """


class DatasetError(ValueError):
    """A dataset cannot be used; the message says what was looked for and what to do."""


class ProbeUnavailable(RuntimeError):
    """A probe lacks something on this machine; its cells are skipped with this reason.

    Attributes:
        cure: What to do about it.
    """

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason = reason
        self.cure = cure


class DisclosureError(ValueError):
    """An attempt to give a server more of the frame than it may have."""


class AuditError(RuntimeError):
    """Edge and servers disagree about what crossed the wire."""


def cure(error: BaseException) -> str:
    """Return what to do about an error that plugins often meet, to follow its message, else nothing."""
    if isinstance(error, ValueError) and str(error).endswith("is read-only"):
        return ": arrays that a plugin is given are shared: change a copy, `array.copy()`"
    # Libraries open files past Python's hooks: these are refused by the kernel.
    refused = isinstance(error, PermissionError) and error.errno == EACCES
    if refused or str(error).startswith("an attack may not open"):
        return ": an attack names files of its own, such as weights, in its property `files`"
    return ""


def plugin_line(error: BaseException) -> str:
    """Return the cure, if there is one, and ` (file.py:12)`, the last line of a plugin that an error passed."""
    package = Path(__file__).parent
    standard, installed = (Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib"))
    passed = [
        (Path(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
    ]
    outside = [
        (file, line)
        for file, line in passed
        if (not file.is_relative_to(package) or file.is_relative_to(package / "plugins"))
        and (not file.is_relative_to(standard) or file.is_relative_to(installed))
    ]
    # Libraries that a plugin calls are installed; an installed plugin comes before those that it calls.
    own = [place for place in outside if not place[0].is_relative_to(installed)]
    file, line = own[-1] if own else outside[0] if outside else (Path(), 0)
    return cure(error) + (f" ({file.name}:{line})" if line else "")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` when a known name is near, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
