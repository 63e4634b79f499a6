"""Check one rule of plugins, and the checks of arrays that several kinds of plugins share."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.errors import MissingWeightsError, PluginError, PluginUnavailable, ProbeUnavailable, cure

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Outcome:
    """The result of one check.

    Attributes:
        problem: How the plugin breaks the rule; empty if it keeps it.
        skipped: Why the rule was not checked; empty if it was.
    """

    rule: str
    problem: str = ""
    skipped: str = ""


class BrokenRule(Exception):
    """A plugin breaks a rule; the message says how."""


class Unchecked(Exception):
    """A rule cannot be checked on a plugin; the message says why."""


def outcome(rule: str, examine: Callable[[], None]) -> Outcome:
    """Check one rule by calling `examine`.

    An exception of the plugin is a problem, reported with its frames. Missing weights, data or packages skip the rule.
    """
    try:
        examine()
    except (Unchecked, PluginUnavailable, ProbeUnavailable, MissingWeightsError) as missing:
        return Outcome(rule, skipped=str(missing))
    except (BrokenRule, PluginError) as broken:
        return Outcome(rule, problem=str(broken))
    # A plugin can raise anything, and the other rules are still worth checking.
    except Exception as error:
        return Outcome(rule, problem=_with_frames(error))
    return Outcome(rule)


def expect_array(array: object, shape: tuple[int, ...], dtype: str) -> None:
    """Raise BrokenRule unless a plugin returned an array of this shape and dtype with finite values."""
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise BrokenRule(f"expected a {dtype} array of shape {shape}, found {found}")
    if not np.isfinite(array).all():
        raise BrokenRule(
            f"{np.count_nonzero(~np.isfinite(array))} values are not finite: look for a division by 0, for example by "
            "the number of visible pixels"
        )


def same(one: object, other: object) -> bool:
    """Return whether arrays are equal bit by bit, so that NaN, which has a rule of its own, equals itself."""
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()


def expect_unchanged(arrays: Sequence[Array], use: Callable[[], object]) -> None:
    """Raise BrokenRule if `use`, a call of the plugin, writes into its input `arrays`."""
    before = [array.copy() for array in arrays]
    use()
    if not all(map(same, before, arrays)):
        raise BrokenRule("the plugin wrote into its input: copy arrays before changing them")


def _with_frames(error: Exception) -> str:
    """Return an exception's message and its stack frames outside this package."""
    folder = Path(__file__).parent
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent != folder
    ]
    stack = "".join(f"\n    {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
    return f"{type(error).__name__}: {error}{cure(error)}{stack}"
