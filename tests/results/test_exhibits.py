"""Exhibits of a run show what was measured."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.report.outputs.gallery import Tile, gallery
from pedbench.results.exhibits import Exhibit, write_exhibit
from pedbench.results.records import append_record, read_plan, write_plan
from pedbench.results.run import load
from pedbench.results.selection import Selection, write_selection
from pedbench.results.stored_exhibits import read_exhibits
from pedbench.results.values import read_values
from pedbench.suites.cell import PluginIdentity


def pixels(path: Path | None) -> np.ndarray[Any, Any]:
    assert path is not None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.float64) / 255


def test_exhibits_show_what_was_received_and_guessed(small_run: Any) -> None:
    stored = {(each.image, each.defense["name"]): each for each in read_exhibits(small_run.directory)}
    images = sorted({image for image, _ in stored})
    assert images == ["0", "1", "2"]
    for image in images:
        whole = stored[image, "full_offload"]
        truth = pixels(whole.truth)
        assert np.abs(pixels(whole.seen) - truth).mean() < 0.02
        assert whole.received == "all exact"
        assert stored[image, "on_device"].received == "nothing"
        part = stored[image, "ped_sam"]
        guesses = {attack["name"]: pixels(path) for attack, path in part.guesses}
        assert set(guesses) == {"mean_colour", "random_image"}
        geometry = next(
            record for record in small_run.of("ped_sam", "privacy", "") if record.cell["coalition"]["c"] == 1
        )
        values = small_run.values(geometry)
        mine = values[(values["image"] == image) & (values["metric"] == "visible share")]
        share = mine.set_index("servers")["value"][part.servers]
        assert part.received == f"{100 * share:.0f} % exact"
        # Where the server has pixels, both guesses show them; elsewhere they are what the attack made up.
        alike = np.abs(guesses["mean_colour"] - truth).max(axis=2) < 0.1
        assert share - 0.1 < alike.mean() < 1


def test_server_shown_is_the_one_that_leaks_most(small_run: Any) -> None:
    shown = next(
        each
        for each in read_exhibits(small_run.directory)
        if each.image == "1" and each.defense["name"] == "ped_sam"
    )
    leaked: dict[str, float] = {}
    for attack in ("mean_colour", "random_image"):
        for record in small_run.of("ped_sam", "privacy", attack):
            if record.cell["coalition"]["c"] == 1:
                values = read_values(small_run.directory, record.cell_id)
                mine = values[(values["image"] == "1") & (values["metric"] == "leakage[RMSE]")]
                for servers, value in zip(mine["servers"], mine["value"], strict=True):
                    leaked[servers] = max(value, leaked.get(servers, -np.inf))
    assert len(leaked) == 3
    assert shown.servers == max(leaked, key=lambda servers: leaked[servers])


@pytest.mark.slow
def test_words_below_pictures_are_the_values(small_run: Any) -> None:
    run = load(small_run.directory)
    (first, *_) = gallery(run, defaultdict(str), ())
    row = next(row for row in first.rows if row.defense == "ped_sam")
    assert first.columns[:2] == ["received by the worst server", "best guess by RMSE"]
    seen, guess, *_ = (cell for cell in row.cells if isinstance(cell, Tile))
    values = {
        attack: read_values(small_run.directory, record.cell_id)
        for attack in ("mean_colour", "random_image")
        for record in small_run.of("ped_sam", "privacy", attack)
        if record.cell["coalition"]["c"] == 1
    }
    server = seen.title.removeprefix("server ")
    leaked = {
        attack: float(
            table.loc[
                (table["image"] == first.image)
                & (table["servers"] == server)
                & (table["metric"] == "leakage[RMSE]"),
                "value",
            ].iloc[0]
        )
        for attack, table in values.items()
    }
    assert guess.title == max(leaked, key=lambda attack: leaked[attack])
    assert guess.caption.startswith(f"leakage RMSE {leaked[guess.title]:.3f}")


@pytest.mark.slow
def test_other_weights_of_the_same_messages_join_a_row(small_run: Any, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(small_run.directory, tmp_path / "run"))
    record = next(record for record in small_run.of("ped_sam") if record.cell["kind"] == "utility")
    defense = record.cell["defense"]
    other = {**defense, "params": {**defense["params"], "weights": "reordered"}}
    append_record(directory, replace(record, cell={**record.cell, "defense": other}, cell_id="0" * 12))
    write_plan(directory, [*read_plan(directory), "0" * 12])
    masks = np.zeros((8, 8, 3), np.float32)
    identity = PluginIdentity(name="ped_sam", version=defense["version"], params=other["params"])
    write_exhibit(directory, Exhibit(image="1", frame=masks, secrets={}, defense=identity, masks=masks))
    (picture,) = (each for each in gallery(load(directory), defaultdict(str), ()) if each.image == "1")
    rows = [row for row in picture.rows if row.defense.startswith("ped_sam")]
    assert [list(row.others) for row in rows] == [["ped_sam(weights=reordered)"]]


def test_pictures_come_in_the_order_of_the_selection(tmp_path: Path) -> None:
    images = ["2", "10", "1"]
    write_selection(tmp_path, Selection(images=images, left_out={}, defects={}))
    for image in sorted(images):
        write_exhibit(
            tmp_path,
            Exhibit(
                defense=PluginIdentity(name="on_device", version=1),
                image=image,
                frame=np.zeros((8, 8, 3), np.float32),
                secrets={},
            ),
        )
    assert [each.image for each in read_exhibits(tmp_path)] == images
