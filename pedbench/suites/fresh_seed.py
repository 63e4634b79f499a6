"""Pictures of a secret seed: a suite commits to it by a digest, the run reveals it, and anybody can compare."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

from pedbench.suites.choices import DatasetChoice
from pedbench.suites.files import SuiteError

_BITS = 63
"""Bits of a seed, which fits into a whole number of TOML."""


def new_secret() -> str:
    """Return a secret that nobody can guess: 64 hexadecimal digits."""
    return secrets.token_hex(32)


def commitment(secret: str) -> str:
    """Return the digest by which a suite commits to a secret."""
    return hashlib.sha256(f"pedbench commitment {secret}".encode()).hexdigest()


def seed_of(secret: str) -> int:
    """Return the dataset's seed that follows from a secret."""
    return int.from_bytes(hashlib.sha256(f"pedbench seed {secret}".encode()).digest()) >> (256 - _BITS)


def read_secret(path: Path) -> str:
    """Read a file of `pedbench commit-seed`."""
    return path.read_text(encoding="utf-8").strip()


def revealed(dataset: DatasetChoice, secret: str | None) -> tuple[dict[str, Any], str | None]:
    """Return the seed that a dataset commits to, as parameters, and its secret; neither without a commitment.

    Args:
        secret: From the command line; a run that is read again holds its own.

    Raises:
        SuiteError: The secret is missing or not the one that was committed to.
    """
    if dataset.commitment is None:
        if secret is not None:
            raise SuiteError(
                "--secret: the suite commits to no seed: add commitment = ... to its table dataset."
            )
        return {}, None
    secret = secret or dataset.secret
    if secret is None:
        raise SuiteError(
            "the pictures of this suite have a secret seed: name its file by --secret, or take other pictures by "
            "--dataset."
        )
    if commitment(secret) != dataset.commitment:
        raise SuiteError(
            f"the secret is not the one that the suite commits to: its digest is {commitment(secret)}, expected is "
            f"{dataset.commitment}."
        )
    seed = seed_of(secret)
    if dataset.params.get("seed", seed) != seed:
        raise SuiteError(f"dataset.params.seed is {dataset.params['seed']}, from the secret follows {seed}.")
    return {"seed": seed}, secret
