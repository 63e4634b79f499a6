"""The suite of the page can be planned as it is copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pedbench.explore.questions import SUITE_FILE, as_text, many_pictures
from pedbench.models.sam.family import MINI
from pedbench.registry import Registry
from pedbench.suites.choices import Choice
from pedbench.suites.files import load_suite
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve


def test_the_copied_suite_of_a_brought_picture_measures_what_was_chosen(tmp_path: Path) -> None:
    pictures = tmp_path / "my pictures"
    pictures.mkdir()
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(pictures / "a.png")
    chosen = Choice(name="ped_sam", params={"servers": 7, "assignment": "contiguous"})
    attack = Choice(name="biharmonic", params={"side": 40})
    suite = many_pictures(chosen, attack, 2, "mini", "lte", scenes=False)
    text, command = as_text(suite, [Path("own attack.py")])
    assert command == f"pedbench run {SUITE_FILE} --plugin 'own attack.py' --data FOLDER"
    file = tmp_path / SUITE_FILE
    file.write_text(text)
    registry = Registry()
    plan = make_plan(resolve(load_suite(str(file)), Overrides(data=pictures), registry), registry, MINI)
    assert [each.defense.label for each in plan.defenses] == [
        "on_device",
        "ped_sam(servers=7, assignment=contiguous)",
    ]
    cells = list(plan.defenses[1].cells())
    assert {
        cell.attack.params["side"] for cell in cells if cell.attack and cell.attack.name == "biharmonic"
    } == {40}
    assert {cell.coalition.c for cell in cells if cell.coalition} == {2}
    assert [link.name for link, _ in plan.defenses[1].latency] == ["lte"]


@pytest.mark.parametrize("attack", ["mean_colour", "nearest_pixel"])
def test_the_copied_suite_of_a_scene_names_nothing_twice(attack: str) -> None:
    plain = Choice(name="on_device")
    suite = many_pictures(plain, Choice(name=attack), 0, "mini", "loopback", scenes=True)
    assert [each.name for each in suite.defenses] == ["on_device"]
    assert sorted(each.name for each in suite.attacks) == ["mean_colour", "nearest_pixel"]
    assert as_text(suite, [])[1] == f"pedbench run {SUITE_FILE}"
