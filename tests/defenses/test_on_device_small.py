"""A small model on the device: the family's network, and segmenters with their own decoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pedbench.models.sam.family import MINI
from pedbench.plugins.defenses.on_device_small import OnDeviceSmall
from pedbench.registry import Registry
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import Suite
from tests.conftest import SMALL
from tests.made_segmenters import make_segmenter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_segmenter(tmp_path / "sam2", "sam2")


def test_the_familys_network_keeps_its_identity() -> None:
    plain = OnDeviceSmall()
    assert (plain.params, plain.label, plain.files) == ({}, "on_device_small", ())
    assert plain.networks == ("small",)


def test_a_segmenter_decodes_its_own_masks(mini: Any, folder: Path) -> None:
    defense = OnDeviceSmall(model=str(folder))
    defense.prepare("cpu")
    done = mini.run(defense, mini.picture())
    assert done.received == ()
    assert done.embedding.decoder is not None
    assert done.embedding.network.config.model_type == "sam2"
    assert defense.networks == ()


def test_without_preparation_it_says_what_to_call(mini: Any, folder: Path) -> None:
    with pytest.raises(AttributeError, match="call prepare"):
        mini.run(OnDeviceSmall(model=str(folder)), mini.picture())


def test_the_weights_of_a_segmenter_are_part_of_its_cells_alone(folder: Path) -> None:
    rows = [{"name": "on_device_small"}, {"name": "on_device_small", "params": {"model": str(folder)}}]
    suite = resolve(Suite.model_validate(SMALL | {"defenses": rows}), Overrides(), Registry())

    def ids() -> list[set[str]]:
        plan = make_plan(suite, Registry(), MINI)
        return [{cell.cell_id for cell in each.cells()} for each in plan.defenses]

    before = ids()
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    after = ids()
    assert before[0] == after[0]
    assert not before[1] & after[1]


@pytest.mark.slow
def test_a_run_measures_a_segmenter_next_to_the_familys_network(
    run_small: Any, folder: Path, tmp_path: Path
) -> None:
    done = run_small(
        tmp_path / "run",
        report=True,
        dataset=SMALL["dataset"] | {"limit": 1},
        utility=[{"protocol": "clicks", "prompts": ["1", "3", "box"]}],
        defenses=[
            {"name": "on_device"},
            {"name": "on_device_small"},
            {"name": "on_device_small", "params": {"model": str(folder)}},
        ],
    )
    assert {record.status for record in done.records} == {"ok"}, done.said
    plain, other = (done.values(record) for record in done.of("on_device_small", "utility"))
    assert set(plain["metric"]) == set(other["metric"]) == {"IoU[1 click]", "IoU[3 clicks]", "IoU[box]"}
    assert len(plain) == len(other)
    assert (plain["value"].to_numpy() != other["value"].to_numpy()).mean() > 0.9
