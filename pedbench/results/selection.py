"""The pictures of a run, those that it could not read, and the annotations that it could not use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pedbench.host.files import write_atomically

FILE = "pictures.json"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The pictures of a run; the same for all defenses.

    Attributes:
        images: Ids in their order.
        left_out: Pictures that cannot be read, id -> reason, as far as they were tried.
        defects: Annotations that cannot be used, name -> reason, as far as samples were read.
    """

    images: Sequence[str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    defects: Mapping[str, str] = field(default_factory=dict)


def write_selection(run_dir: Path, selection: Selection) -> None:
    """Write the selection into a run directory, whole or not at all."""
    path = run_dir / FILE
    write_atomically(path, json.dumps(asdict(selection), indent=1) + "\n")


def read_selection(run_dir: Path) -> Selection | None:
    """Return the selection of a run; None where none was written.

    Raises:
        ValueError: The file is no selection.
    """
    path = run_dir / FILE
    if not path.is_file():
        return None
    try:
        return TypeAdapter(Selection).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path}: not a selection of pictures: {error.errors()[0]['msg']}.") from None
