"""A run from elsewhere shows no file of the reader, and leads no file of his astray."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.report.figures.drawing import run_looks
from pedbench.report.outputs.gallery import gallery
from pedbench.report.outputs.writing import write_report
from pedbench.results import stored_exhibits
from pedbench.results.exhibits import FOLDER, Exhibit, write_exhibit
from pedbench.results.merge import merge
from pedbench.results.records import write_plan
from pedbench.results.run import load
from pedbench.results.selection import read_selection
from pedbench.results.stored_exhibits import encoded_again
from tests.report.conftest import BLUR, FLOOR, IMAGES

PRIVATE = b"PRIVATE" * 9


@pytest.fixture
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the made run with an exhibit, next to a private file and a private picture."""
    source = request.getfixturevalue("made")
    directory = Path(shutil.copytree(source.directory, tmp_path / "run"))
    # A report of few cells is written fast.
    write_plan(
        directory, [source.cells[key] for key in (("u", "utility"), ("b", "utility"), ("b", 1, "floor"))]
    )
    grey = np.full((24, 32, 3), 0.5, np.float32)
    exhibit = Exhibit(image=IMAGES[0], frame=grey, secrets={}, defense=BLUR, masks=grey, seen=grey)
    exhibit.servers, exhibit.rule, exhibit.guesses = "0", ("1", 3), [(FLOOR, grey)]
    write_exhibit(directory, exhibit)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_bytes(PRIVATE)
    Image.new("RGB", (32, 24), "red").save(tmp_path / "private" / "photo.webp")
    return directory


def entry(run_dir: Path) -> Path:
    return next(path for path in run_dir.glob(f"{FOLDER}/*/*.json") if path.name != "picture.json")


def changed(**fields: Any) -> Callable[[Path], None]:
    def change(run_dir: Path) -> None:
        path = entry(run_dir)
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


def naming(name: str) -> Callable[[Path], None]:
    """An entry names a private file."""
    return lambda run_dir: changed(masks=name.format(tmp=run_dir.parent))(run_dir)


def linked(place: str, target: str) -> Callable[[Path], None]:
    def link(run_dir: Path) -> None:
        path = next(iter(run_dir.glob(place)), run_dir / place)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(run_dir.parent / target)

    return link


def written(place: str, content: bytes) -> Callable[[Path], None]:
    def write(run_dir: Path) -> None:
        next(run_dir.glob(place)).write_bytes(content)

    return write


def renamed(run_dir: Path) -> None:
    """A cell is called like a file of another folder."""
    plan = json.loads((run_dir / "cells.json").read_text())
    (run_dir / "cells.json").write_text(json.dumps([*plan, "../../private/key"]))


def unselected(run_dir: Path) -> None:
    """The selection is none."""
    (run_dir / "pictures.json").write_text('{"images": 1}')


def including(run_dir: Path) -> None:
    """The suite includes a file of the reader's."""
    text = (run_dir / "suite.toml").read_text()
    (run_dir / "suite.toml").write_text(f'include = "../private/key.toml"\n{text}')


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "an absolute path": (naming("{tmp}/private/photo.webp"), "no name of a picture beside it"),
    "a way up": (naming("../../../private/photo.webp"), "no name of a picture beside it"),
    "a guess elsewhere": (
        lambda run_dir: changed(guesses=[[{"name": "floor", "version": 1, "params": {}}, "/etc/x"]])(run_dir),
        "no name of a picture beside it",
    ),
    "a linked picture": (linked(f"{FOLDER}/*/truth.webp", "private/photo.webp"), "is a link out of the run"),
    "a linked folder": (linked("exhibits/another", "private"), "is a link out of the run"),
    "bytes": (written(f"{FOLDER}/*/*-seen.webp", PRIVATE), "is no picture of an exhibit"),
    "no exhibit": (changed(received=7), "not an exhibit, at received"),
    "a box beyond numbers": (
        written(
            f"{FOLDER}/*/picture.json",
            b'{"image": "x", "secrets": [{"kind": "text", "number": 0, "content": "", "box": [0, 0, 1, NaN]}]}',
        ),
        "not an exhibit, at secrets",
    ),
    "a linked table": (linked("tables", "private"), "is a link out of the run"),
    "linked values": (linked("values/*-0000.parquet", "private/key"), "is a link out of the run"),
    "a cell's id": (renamed, "no id of a cell"),
    "an included suite": (including, "unknown key 'include'"),
    "no selection": (unselected, "not a selection"),
}  # fmt: skip


def read_all(run_dir: Path) -> None:
    run = load(run_dir)
    for row in gallery(run, {name: look.colour for name, look in run_looks(run).items()}, ()):
        for path in row.paths:
            encoded_again(path)
    read_selection(run_dir)


@pytest.mark.parametrize("way", TAMPERED)
def test_what_leads_out_of_a_run_is_refused_by_name(foreign: Path, tmp_path: Path, way: str) -> None:
    change, reason = TAMPERED[way]
    change(foreign)
    with pytest.raises(ValueError, match=reason):
        read_all(foreign)
    assert (tmp_path / "private" / "key").read_bytes() == PRIVATE


@pytest.mark.slow
def test_pictures_are_drawn_anew_and_bounded(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in foreign.glob(f"{FOLDER}/*/*.webp"):
        path.write_bytes(path.read_bytes() + PRIVATE)
    page = write_report(load(foreign)).with_suffix(".html").read_text(encoding="utf-8")
    pictures = [base64.b64decode(found) for found in re.findall(r"data:image/webp;base64,([\w+/=]+)", page)]
    assert len(pictures) >= 4
    assert not any(b"PRIVATE" in picture for picture in pictures)
    monkeypatch.setattr(stored_exhibits, "MOST_PIXELS", 32 * 24 - 1)
    with pytest.raises(ValueError, match="32 x 24 pixels are more than the 767"):
        encoded_again(next(foreign.glob(f"{FOLDER}/*/truth.webp")))


def test_a_merged_run_holds_no_file_from_elsewhere(foreign: Path, tmp_path: Path) -> None:
    sound = shutil.copytree(foreign, tmp_path / "sound")
    linked(f"{FOLDER}/*/truth.webp", "private/photo.webp")(foreign)
    with pytest.raises(ValueError, match="is a link out of the run"):
        merge([sound, foreign], tmp_path / "into")
    assert not (tmp_path / "into").exists()
