"""One rule of plugins: how it is examined, and its outcome."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pedbench.errors import MissingWeightsError, PluginUnavailable, ProbeUnavailable


@dataclass(frozen=True)
class Outcome:
    """The result of one check.

    Attributes:
        problem: Empty when the rule is kept.
        skipped: Why it was not checked.
    """

    rule: str
    problem: str = ""
    skipped: str = ""


class BrokenRule(Exception):
    """A plugin breaks a rule; the message says how."""


def outcome(rule: str, examine: Callable[[], None]) -> Outcome:
    """Examine one rule: what a plugin raises is a problem with its traceback, what it lacks is a reason to skip."""
    try:
        examine()
    except (PluginUnavailable, ProbeUnavailable, MissingWeightsError) as missing:
        return Outcome(rule, skipped=str(missing))
    except BrokenRule as broken:
        return Outcome(rule, problem=str(broken))
    # A plugin can raise anything, and the other rules are still of interest.
    except Exception as error:
        return Outcome(rule, problem=_with_frames(error))
    return Outcome(rule)


def _with_frames(error: Exception) -> str:
    """Return an exception with the frames that led to it, from the plugin on."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _ours(frame.filename)]
    way = "".join(f"\n    {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
    return f"{type(error).__name__}: {error}{way}"


def _ours(filename: str) -> bool:
    return Path(filename).parent == Path(__file__).parent
