"""Answers of attacks, which are checked on the trusted side: they come from a process that runs an attack's code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.types import Picture

MOST_WORDS = 1 << 20
"""Bytes that an answer may have besides its arrays."""

MOST_SHOWN = 20_000
"""Characters of a message or traceback that are kept."""


class AttackFailure(RuntimeError):
    """An attack raised, gave no picture, took too long, or took its process with it.

    Attributes:
        attack: Its name.
        kind: The exception's class, e.g. "ValueError"; "AttackDied" when the process ended, "AttackOverdue"
            when the deadline passed, "BrokenAnswer" when it answered something else than asked.
        reason: The exception's message.
        trace: The traceback in the attack's process; empty when that ended.
    """

    def __init__(self, attack: str, kind: str, message: str, trace: str = "") -> None:
        super().__init__(f"attack {attack}: {kind}: {message}")
        self.attack = attack
        self.reason = message
        self.kind = kind
        self.trace = trace


class BrokenAnswer(ValueError):
    """An answer that is not what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """Answer of an attack: a guess per view, and confidences of a read-out.

    Attributes:
        pictures: One guess a view, (H, W, 3) float32 in [0, 1], checked.
        confidences: Of a read-out attack likewise, (H, W) float32 in [0, 1]; none of others.
        seconds: Time that the attack took for all of them, without preparation and transport, as it says itself.
    """

    pictures: tuple[Picture, ...]
    seconds: float
    confidences: tuple[npt.NDArray[np.float32], ...] = ()


def read_words(connection: Connection[Any, Any]) -> dict[str, Any]:
    """Read the words of an answer.

    Raises:
        BrokenAnswer: They are no JSON object, or too long.
        EOFError: The process ended.
    """
    try:
        words = json.loads(connection.recv_bytes(MOST_WORDS))
    except EOFError:
        raise
    # Too long a message closes the connection, and what is no JSON can fail in many ways.
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenAnswer(
            f"expected words in JSON, found something else ({type(error).__name__})"
        ) from error
    if not isinstance(words, dict):
        raise BrokenAnswer(f"expected a JSON object, found {type(words).__name__}")
    return words


def failure_in(words: dict[str, Any], attack: str) -> AttackFailure | None:
    """Return the failure that an answer tells of."""
    if "failure" not in words:
        return None
    kind, message, trace = (str(words.get(name, ""))[:MOST_SHOWN] for name in ("failure", "message", "trace"))
    return AttackFailure(attack, kind, message, trace)


def read_guesses(
    connection: Connection[Any, Any],
    words: dict[str, Any],
    sizes: Sequence[tuple[int, int]],
    *,
    reads_out: bool,
    most_seconds: float,
    attack: str,
) -> Guesses:
    """Read as many arrays as were asked for, and nothing more.

    Args:
        sizes: Height and width of the frame of each view.
        reads_out: Whether the attack also gives confidences.
        most_seconds: Time since it was asked; it cannot have taken longer.

    Raises:
        BrokenAnswer: Something is missing, too much, of another size, or not in [0, 1].
        EOFError: The process ended.
    """
    seconds = words.get("seconds")
    if not isinstance(seconds, float) or not 0 <= seconds <= most_seconds:
        raise BrokenAnswer(
            f"expected the seconds that it took, at most {most_seconds:.3g}, found {seconds!r:.80}"
        )
    pictures = [check_guess(_array(connection, (*size, 3)), size, attack) for size in sizes]
    confidences = (
        [check_confidence(_array(connection, size), size, attack) for size in sizes] if reads_out else []
    )
    try:
        connection.recv_bytes(1)
    except (EOFError, ConnectionError):
        return Guesses(pictures=tuple(pictures), confidences=tuple(confidences), seconds=seconds)
    except OSError:
        pass
    raise BrokenAnswer("it answered more than it was asked")


def _array(connection: Connection[Any, Any], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    length = 4 * int(np.prod(shape))
    try:
        data = connection.recv_bytes(length)
    except EOFError:
        raise
    except OSError as error:
        raise BrokenAnswer(f"expected {length} bytes for an array of shape {shape}, found more") from error
    if len(data) != length:
        raise BrokenAnswer(f"expected {length} bytes for an array of shape {shape}, found {len(data)}")
    return np.frombuffer(data, np.float32).reshape(shape)


def check_guess(guess: object, frame_size: tuple[int, int], attack: str) -> Picture:
    """Refuse a guess that is no picture of the frame.

    Raises:
        ValueError: With the attack's name and what was found.
    """
    expected = f"{attack}: expected a float32 picture of shape {(*frame_size, 3)} in [0, 1], found"
    if not isinstance(guess, np.ndarray):
        raise ValueError(f"{expected} {type(guess).__name__}")
    if guess.shape != (*frame_size, 3) or guess.dtype != np.float32:
        raise ValueError(f"{expected} {guess.dtype} of shape {guess.shape}")
    if not np.isfinite(guess).all():
        raise ValueError(f"{expected} {np.count_nonzero(~np.isfinite(guess))} values that are not finite")
    if guess.min() < 0 or guess.max() > 1:
        raise ValueError(f"{expected} values from {guess.min()} to {guess.max()}")
    return guess


def check_confidence(confidence: object, frame_size: tuple[int, int], attack: str) -> npt.NDArray[np.float32]:
    """Refuse a confidence that is no number in [0, 1] per pixel.

    Raises:
        ValueError: With the attack's name and what was found.
    """
    expected = f"{attack}: expected a float32 confidence of shape {frame_size} in [0, 1], found"
    if not isinstance(confidence, np.ndarray):
        raise ValueError(f"{expected} {type(confidence).__name__}")
    if confidence.shape != frame_size or confidence.dtype != np.float32:
        raise ValueError(f"{expected} {confidence.dtype} of shape {confidence.shape}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"{expected} values outside of it")
    return confidence
