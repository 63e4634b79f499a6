"""The outcome of `pedbench verify`, kept in a file that the run's author does not write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pedbench.host.files import write_atomically
from pedbench.results.records import PLAN, RECORDS
from pedbench.results.run_directory import SUITE
from pedbench.results.selection import FILE as SELECTION

LEAST_CELLS, LEAST_PICTURES, MOST_TOLERANCE = 30, 4, 1e-3
"""Sample and tolerance with which a run counts as verified."""

MOST_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The outcome of one `pedbench verify`.

    Attributes:
        run: `run_digest` of the run that was verified.
        utc: Date and time, ISO 8601.
        pedbench: Version that verified.
        seed: Seed of the sample.
        random_seed: Whether the program drew the seed; its author may know one that was given.
        cells, pictures: Size of the sample: cells, and pictures of each.
        tolerance: Largest difference of a value that was allowed.
        problems: What differs.
        notes: What is to say about the suite.
        unchecked: What could not be checked, and why.
    """

    run: str
    utc: str
    pedbench: str
    seed: int
    random_seed: bool
    cells: int
    pictures: int
    tolerance: float
    problems: Sequence[str]
    notes: Sequence[str]
    unchecked: Sequence[str]

    def doubt(self, run_dir: Path) -> str:
        """Return why this does not show that a run is as it says, if it found no problem; empty if it does."""
        if self.run != run_digest(run_dir):
            return "the run has changed since it was verified"
        if not self.random_seed:
            return "its author may have known the seed, which was given"
        if self.cells < LEAST_CELLS or self.pictures < LEAST_PICTURES:
            return (
                f"{self.cells} cells on {self.pictures} pictures were measured again, at least {LEAST_CELLS} on "
                f"{LEAST_PICTURES} are expected"
            )
        if self.tolerance > MOST_TOLERANCE:
            return f"the tolerance was {self.tolerance:g}, at most {MOST_TOLERANCE:g} is expected"
        return "; ".join(self.unchecked)


def run_digest(run_dir: Path) -> str:
    """Return the SHA-256 of all files of a run from which its numbers follow."""
    names = (SUITE, PLAN, RECORDS, SELECTION)
    files = [*(run_dir / name for name in names), *sorted((run_dir / "values").glob("*.parquet"))]
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            with file.open("rb") as stream:
                total.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def write_verification(path: Path, verification: Verification) -> None:
    """Write the outcome, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(verification), indent=1) + "\n")


def read_verification(path: Path) -> Verification:
    """Read an outcome.

    Raises:
        ValueError: The file is none.
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        text = stream.read(MOST_BYTES)
    try:
        return TypeAdapter(Verification).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{path}: not an outcome of `pedbench verify --save`, at {place}: {first['msg']}."
        ) from None
