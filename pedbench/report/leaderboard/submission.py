"""Submissions: a run directory with a card, and what is known of its verification. Both may come from anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import tomllib
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pedbench.report.words.text import one_line
from pedbench.results.run import Run, load
from pedbench.results.verification import Verification, read_verification, run_digest

CARD = "SUBMISSION.toml"

MOST_BYTES = 10_000

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Card(BaseModel):
    """The card of a run, written by its authors.

    Attributes:
        link: Page of the code or the paper, if there is one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Line
    authors: Annotated[list[_Line], Field(min_length=1, max_length=50)]
    link: (
        Annotated[
            str,
            StringConstraints(pattern=r"^https://[\w.-]+(:\d+)?(/[\w./~%#?=&+-]*)?$", max_length=300),
        ]
        | None
    ) = None
    date: date


Status = Literal["verified", "not verified", "refused"]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One submission.

    Attributes:
        slug: Name of its folder, of which files of the site are named.
        card: None if it cannot be read.
        run: None if it is refused.
        reason: Why it is not verified, or refused.
    """

    slug: str
    card: Card | None
    run: Run | None
    status: Status
    reason: str = ""
    verification: Verification | None = None


def read_card(directory: Path) -> Card:
    """Read a submission's card.

    Raises:
        ValueError: It is none; the message says where and why.
        OSError: It cannot be read.
    """
    path = directory / CARD
    with path.open("rb") as stream:
        text = stream.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError(f"{CARD}: at most {MOST_BYTES:,} bytes are expected.")
    try:
        return Card.model_validate(tomllib.loads(text.decode("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place: Any = ".".join(map(str, first["loc"]))
        raise ValueError(f"{CARD}, {place}: {first['msg']}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{CARD}: not a TOML file: {error}.") from None


def read_submission(directory: Path, verifications: Path | None) -> Submission:
    """Read a submission; what cannot be read or was not confirmed is refused with the reason.

    Args:
        verifications: Folder with the outcomes of `pedbench verify --save FOLDER/NAME.json`, written by others.

    Raises:
        ValueError: The folder's name cannot be that of files, or an outcome is none.
    """
    slug = directory.name
    if not _SLUG.fullmatch(slug):
        raise ValueError(
            f"{one_line(slug)!r} is no name of a submission: rename the folder to at most 64 of a-z, 0-9, - and _."
        )
    card = None
    try:
        run = load(directory)
        card = read_card(directory)
    except (ValueError, OSError) as error:
        return Submission(slug=slug, card=card, run=None, status="refused", reason=one_line(str(error)))
    path = verifications / f"{slug}.json" if verifications else None
    if path is None or not path.is_file():
        return Submission(
            slug=slug, card=card, run=run, status="not verified", reason="nobody has verified it"
        )
    found = read_verification(path)
    doubt = found.doubt(directory)
    if found.problems and found.run == run_digest(directory):
        reason = f"{len(found.problems)} problems, the first: {found.problems[0]}"
        return Submission(slug=slug, card=card, run=None, status="refused", reason=reason, verification=found)
    return Submission(
        slug=slug,
        card=card,
        run=run,
        status="not verified" if doubt else "verified",
        reason=doubt,
        verification=found,
    )
