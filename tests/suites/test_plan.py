"""From a suite to cells."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pedbench.models.sam.family import MINI, Family
from pedbench.registry import Registry
from pedbench.suites.files import SuiteError
from pedbench.suites.plan import Plan
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import Suite

PLUGINS = Path(__file__).parents[1] / "measure" / "plugins"

SUITE: dict[str, Any] = {
    "name": "made",
    "version": 1,
    "seed": 3,
    "model": "mini",
    "dataset": {"name": "scenes", "params": {"count": 8}, "limit": 2},
    "utility": [{"protocol": "clicks", "prompts": ["1", "box"]}, {"protocol": "saf", "prompts": ["1"]}],
    "defenses": [{"name": "on_device"}, {"name": "ped_sam", "sweep": {"servers": [3, 5]}}],
    "attacks": ["mean_colour", "two_requests"],
    "metrics": ["root_mean_square_error"],
    "coalitions": [{"c": 1, "m": 3}, {"c": "N", "m": 1}],
    "latency": {"samples": 2, "warmup": 1},
}


def plan(family: Family = MINI, **changes: Any) -> Plan:
    registry = Registry([PLUGINS / "two_requests.py", PLUGINS / "black.py"])
    return make_plan(resolve(Suite.model_validate(SUITE | changes), Overrides(), registry), registry, family)


def test_every_measurement_is_a_cell_of_its_own() -> None:
    made = plan()
    cells = made.cells()
    # For each of three defenses: two protocols, two geometries, two attacks on each, one latency.
    assert len(cells) == 3 * (2 + 2 + 4 + 1)
    assert len({cell.cell_id for cell in cells}) == len(cells)
    assert {cell.seed for cell in cells} == {3}
    attacked = [cell for cell in cells if cell.attack is not None]
    assert {(cell.attack.name, cell.requests) for cell in attacked if cell.attack} == {
        ("mean_colour", 1),
        ("two_requests", 2),
    }
    assert [planned.plugin.name for planned in made.floors] == ["mean_colour"]


def test_the_selection_is_part_of_a_cell_and_its_place_in_the_suite_is_not() -> None:
    ids = [cell.cell_id for cell in plan().cells()]
    assert not set(ids) & {cell.cell_id for cell in plan(dataset=SUITE["dataset"] | {"limit": 1}).cells()}
    turned = plan(defenses=SUITE["defenses"][::-1], attacks=SUITE["attacks"][::-1])
    assert sorted(cell.cell_id for cell in turned.cells()) == sorted(ids)
    assert {cell.cell_id for cell in plan(name="other", version=9).cells()} == set(ids)


def test_a_defense_can_be_measured_on_fewer_pictures() -> None:
    whole, limited = plan(), plan(defenses=[{"name": "on_device", "limit": 1}, SUITE["defenses"][1]])
    assert [of.images for of in limited.defenses] == [(0,), (0, 1), (0, 1)]
    first, *others = limited.defenses
    shorter = plan(dataset=SUITE["dataset"] | {"limit": 1})
    assert list(first.cells()) == list(shorter.defenses[0].cells())
    assert [list(of.cells()) for of in others] == [list(of.cells()) for of in whole.defenses[1:]]


def test_what_a_suite_says_twice_is_measured_once() -> None:
    twice = plan(coalitions=SUITE["coalitions"] * 2, utility=SUITE["utility"] * 2)
    assert [cell.cell_id for cell in twice.cells()] == [cell.cell_id for cell in plan().cells()]


def test_further_weights_are_part_of_the_cells_that_use_them(tmp_path: Path) -> None:
    defenses = [
        {"name": "on_device", "sweep": {"weights": ["original", "prolonged"]}},
        {"name": "gaussian_blur", "sweep": {"weights": ["original", "fine-tuned"]}},
    ]
    extra = tmp_path / "blur-mini.safetensors"
    assert MINI.blurred is not None
    assert MINI.prolonged is not None
    family = replace(
        MINI,
        blurred=replace(MINI.blurred, file=extra),
        prolonged=replace(MINI.prolonged, file=tmp_path / "absent"),
    )

    def ids() -> dict[str, set[str]]:
        made = plan(family, defenses=defenses)
        assert made.defenses[0].weights == MINI.digests()
        return {each.defense.label: {cell.cell_id for cell in each.cells()} for each in made.defenses}

    before = ids()
    extra.write_bytes(b"one")
    one = ids()
    extra.write_bytes(b"another")
    other = ids()
    tuned = "gaussian_blur(weights=fine-tuned)"
    assert len(before) == 4
    for label, cells in before.items():
        assert (cells == one[label] == other[label]) == (label != tuned)
    assert not one[tuned] & other[tuned]


@pytest.mark.parametrize(
    ("plugin", "kinds"),
    [
        ("defenses.on_device:OnDevice", {"utility", "privacy", "latency"}),
        ("metrics.root_mean_square_error:RootMeanSquareError", {"privacy"}),
    ],
)
def test_files_of_any_plugin_and_ending_are_part_of_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: str, kinds: set[str]
) -> None:
    module, _, name = plugin.partition(":")
    package = "pedbench" if module.startswith("metrics") else "pedbench.plugins"
    owner = getattr(import_module(f"{package}.{module}"), name)
    monkeypatch.setattr(owner, "files", property(lambda _: (tmp_path,)))
    cells = []
    for content in (b"trained", b"\0\0\0\0\0\0\0"):
        (tmp_path / "weights.pt").write_bytes(content)
        planned = plan(defenses=[{"name": "on_device"}], attacks=["mean_colour", "vitmae"])
        cells.append({cell.cell_id: cell for cell in planned.cells()})
    changed = [cell for cell_id, cell in cells[0].items() if cell_id not in cells[1]]
    assert {cell.kind for cell in changed} == kinds
    assert all(cell.attack for cell in changed) == (kinds == {"privacy"})


def test_files_of_an_attack_are_part_of_its_cells(tmp_path: Path) -> None:
    cells = []
    for content in (b"trained", b"\0\0\0\0\0\0\0"):
        (tmp_path / "weights.pt").write_bytes(content)
        attack = {"name": "vitmae", "params": {"model": str(tmp_path)}}
        planned = plan(defenses=[{"name": "on_device"}], attacks=["mean_colour", attack])
        cells.append({cell.cell_id: cell for cell in planned.cells()})
    changed = [cell for cell_id, cell in cells[0].items() if cell_id not in cells[1]]
    assert changed
    assert all(cell.attack is not None and cell.attack.name == "vitmae" for cell in changed)


def test_links_are_cells_of_their_own_and_loopback_is_the_default() -> None:
    default = plan()
    links = ["loopback", "wifi-5", "lte", "wifi-5"]
    more = plan(latency=SUITE["latency"] | {"links": links})
    assert len(more.cells()) == len(default.cells()) + 2 * len(default.defenses)
    assert {cell.cell_id for cell in default.cells()} < {cell.cell_id for cell in more.cells()}
    for of in more.defenses:
        assert [(link.name, cell.link) for link, cell in of.latency] == [(name, name) for name in links[:3]]
    with pytest.raises(SuiteError, match=r"latency: there is no link 'wifi5'.*wifi-5"):
        plan(latency=SUITE["latency"] | {"links": ["wifi5"]})


def test_axes_can_be_left_out() -> None:
    made = plan(defenses=[{"name": "on_device", "privacy": False, "latency": False}])
    assert {cell.kind for cell in made.cells()} == {"utility"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"dataset": SUITE["dataset"] | {"limit": 9}},
            "holds 8 readable pictures, fewer than the limit of 9",
        ),
        ({"attacks": ["black"]}, "none of the attacks is such a floor: black. Add one, e.g. mean_colour"),
        (
            {"attacks": [{"name": "mean_colour", "limit": 2}]},
            "mean_colour is a floor, to which all attacks relate",
        ),
        (
            {"attacks": [{"name": "mean_colour", "slow": True}]},
            "mean_colour is a floor, to which all attacks relate",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan(**changes)
