"""`pedbench commit-seed`: a secret seed for pictures that nobody has seen, and its digest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def commit_seed(
    file: Annotated[
        Path, typer.Argument(help="New file for the secret; keep it until results are published.")
    ],
) -> None:
    """Draw a secret seed, and print the digest by which a suite commits to it."""
    from pedbench.suites.fresh_seed import commitment, new_secret

    secret = new_secret()
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(f"{secret}\n")
    print(
        f"The secret is in {file}. Publish this line of the suite's table dataset before anything is measured:"
    )
    print(f'commitment = "{commitment(secret)}"')
