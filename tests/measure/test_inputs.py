"""Input that is wrong, and pictures that are strange: a sentence or a recorded skip, never a silent gap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.cli import main
from pedbench.errors import DatasetError

DEFENSES = [{"name": "on_device"}, {"name": "full_offload"}]
CHANGES: dict[str, Any] = {
    "defenses": DEFENSES,
    "metrics": ["root_mean_square_error"],
    "attacks": ["mean_colour"],
}


def pedbench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--defense", "ped_sm"], "there is no defense named 'ped_sm' (did you mean 'ped_sam'?)"),
        (["--attack", "mean_color"], "there is no attack named 'mean_color' (did you mean 'mean_colour'?)"),
        (["--dataset", "coc"], "there is no dataset named 'coc' (did you mean 'coco'?)"),
        (
            ["--sweep", "gaussian_blur.sigmaa=1"],
            "gaussian_blur has no parameter 'sigmaa' (did you mean 'sigma'?)",
        ),
        (["--sweep", "gaussian_blur.sigma=strong"], "parameter 'sigma' of gaussian_blur: expected float"),
        (["--sweep", "gaussian_blur.sigma=-1"], "sigma must be positive, found -1"),
        (["--sweep", "ped_sam.assignment=best"], "assignment is 'best'; known:"),
        (["--dataset", "coco", "--data", "nowhere"], "no COCO folder at"),
        (["--dataset", "folder", "--data", "nowhere"], "there is no folder"),
        (["--dataset", "folder"], "name one with --data PATH"),
        (["--model", "vit_x"], "there is no model family 'vit_x'"),
        (["--model", "vit_b"], "to get them: pedbench fetch sam_vit_b"),
        (["--limit", "9"], "holds 8 readable pictures, fewer than the limit of 9"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_wrong_input_is_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    status, err = pedbench(capsys, "run", "proof", "--out", str(tmp_path), *arguments)
    assert status == 2
    assert sentence in err
    assert "Traceback" not in err
    # What never began leaves nothing.
    assert not list(tmp_path.glob("runs/*"))


def test_a_plugin_whose_operations_no_server_could_load(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "homemade.py"
    path.write_text(
        "from dataclasses import dataclass\n"
        "from pedbench.base import Defense, Operation\n"
        "class Mine(Operation):\n"
        "    name = 'mine'; request = {}; reply = {}\n"
        "    def run(self, payload, arguments, networks): return {}\n"
        "@dataclass(kw_only=True)\n"
        "class Homemade(Defense):\n"
        "    '''Bring an operation.'''\n"
        "    name = 'homemade'; version = 1; disclosure = 'nothing'\n"
        "    def embed(self, frame, edge, cloud): return edge.encode_image(frame)\n"
    )
    status, err = pedbench(
        capsys, "run", "proof", "--out", str(tmp_path), "--defense", "homemade", "--plugin", str(path)
    )
    assert status == 2
    assert "they have to lie in an importable module" in err


def picture(seed: int, size: tuple[int, int] = (60, 80)) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.long
def test_strange_pictures(run_small: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(picture(1)).save(data / "a.png")
    Image.fromarray(picture(2)[..., 0]).save(data / "grey.png")
    Image.fromarray(np.dstack([picture(3), np.full((60, 80), 128, np.uint8)])).save(data / "clear.png")
    (data / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    dataset = {"name": "folder", "params": {"data": str(data)}}
    done = run_small(tmp_path / "run", report=True, dataset=dataset, **CHANGES)
    assert {record.status for record in done.records} == {"ok"}
    for record in done.records:
        if record.cell["kind"] != "utility":
            assert set(done.values(record)["image"]) == {"a.png", "clear.png", "grey.png"}
    assert "left out: broken.jpg" in done.said
    report = (done.directory / "report.md").read_text()
    assert "pictures that cannot be read: `broken.jpg`" in report


def coco(folder: Path, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """A folder with three pictures of 60 x 80 pixels."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for id in (1, 2, 3):
        Image.fromarray(picture(id)).save(folder / "images" / f"{id}.png")
    listed = [{"id": id, "file_name": f"{id}.png", "width": 80, "height": 60} for id in (1, 2, 3)]
    content = {"images": listed, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))
    return {"name": "coco", "params": {"data": str(folder)}}


def runs(*pixels: tuple[int, int]) -> dict[str, Any]:
    """Run lengths of a mask of 60 x 80 pixels."""
    mask = np.zeros((60, 80), np.uint8)
    for row, column in pixels:
        mask[row, column] = 1
    flat = mask.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *ends.tolist(), flat.size]).tolist()
    return {"size": [60, 80], "counts": [0, *counts] if flat[0] else counts}


@pytest.mark.long
@pytest.mark.slow
def test_strange_annotations(run_small: Any, tmp_path: Path) -> None:
    box = [[10, 10, 50, 10, 50, 40, 10, 40]]
    crowd = runs(*[(row, column) for row in range(20) for column in range(30)])
    dataset = coco(
        tmp_path / "data",
        [
            {"id": 10, "image_id": 1, "category_id": 1, "segmentation": box, "area": 1200, "iscrowd": 0},
            {
                "id": 11,
                "image_id": 1,
                "category_id": 1,
                "segmentation": runs((5, 7)),
                "area": 1,
                "iscrowd": 0,
            },
            {"id": 12, "image_id": 2, "category_id": 1, "segmentation": crowd, "area": 600, "iscrowd": 1},
            {"id": 13, "image_id": 3, "category_id": 1, "segmentation": box, "area": 1200, "iscrowd": 0},
            {"id": 14, "image_id": 3, "category_id": 1, "segmentation": [[1, 2, 3]], "area": 4, "iscrowd": 0},
        ],
    )
    done = run_small(tmp_path / "run", report=True, dataset=dataset, **CHANGES)
    assert {record.status for record in done.records} == {"ok"}
    (utility,) = done.of("on_device", "utility")
    assert set(done.values(utility)["annotation"]) == {10, 11, 13}
    assert utility.metrics[0].n == 2
    for record in done.of("full_offload", attack="mean_colour"):
        assert set(done.values(record)["image"]) == {"1", "2", "3"}
    report = (done.directory / "report.md").read_text()
    assert "1 of 3 pictures have none that protocol clicks: 1 counts: `2`" in report
    assert "annotations that cannot be used: `14` (a polygon has at least three corners" in report
    assert "1 of 5 annotations were left out (1: a polygon has at least three corners" in done.said
    assert "annotations left out" in utility.flags
    # A run that has nothing left to do knows it still.
    again = run_small(tmp_path / "run", report=True, dataset=dataset, **CHANGES)
    assert "annotations that cannot be used: `14`" in (again.directory / "report.md").read_text()


def test_a_file_without_any_usable_annotation_is_refused(run_small: Any, tmp_path: Path) -> None:
    boxes = [{"id": id, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]} for id in (1, 2)]
    with pytest.raises(DatasetError, match=r"2 of 2 annotations were left out \(2: it has no segmentation\)"):
        run_small(tmp_path / "run", dataset=coco(tmp_path / "data", boxes), **CHANGES)


@pytest.mark.long
@pytest.mark.slow
def test_no_masks_at_all_is_a_recorded_skip(run_small: Any, tmp_path: Path) -> None:
    done = run_small(tmp_path / "run", report=True, dataset=coco(tmp_path / "data", []), **CHANGES)
    assert {record.status for record in done.of("on_device", "utility")} == {"skipped"}
    assert {record.status for record in done.records if record.cell["kind"] != "utility"} == {"ok"}
    assert "the selected pictures give this cell no value" in (done.directory / "report.md").read_text()


SUITE = """
name = "tiny"
version = 1
seed = 0
model = "mini"
attacks = ["mean_colour"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 1 }]
dataset = { name = "scenes", params = { count = 8 }, limit = 1 }
utility = [{ protocol = "clicks", prompts = ["1"] }]
defenses = [{ name = "on_device" }, { name = "full_offload" }]
latency = { samples = 1, warmup = 0 }
"""


@pytest.mark.long
@pytest.mark.slow
def test_status_link_and_fresh_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    out = tmp_path / "out"
    command = ["run", str(suite), "--out", str(out)]
    assert pedbench(capsys, *command)[0] == 0
    first = (out / "latest").resolve()
    assert pedbench(capsys, *command)[0] == 0
    assert (out / "latest").resolve() == first

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr("pedbench.measure.utility.evaluate", fail)
        patch.setattr("pedbench.measure.pass_times.decoder_time", lambda *_: [])
        status, err = pedbench(capsys, *command, "--fresh")
    assert status == 1
    assert "failed: utility of on_device" in err
    assert "picture 0: RuntimeError: out of order" in err
    second = (out / "latest").resolve()
    assert second.name == f"{first.name}-2"
    # The newest run is continued: what failed is tried again.
    assert pedbench(capsys, *command)[0] == 0
    assert (out / "latest").resolve() == second
    # Were a whole picture not seen, the run would be worth nothing.
    with monkeypatch.context() as patch:
        patch.setattr(
            "pedbench.measure.views.visible_mask", lambda view, truth: np.zeros(truth.shape[:2], np.bool_)
        )
        status, err = pedbench(capsys, *command, "--fresh")
    assert status == 1
    assert "the run is invalid: control whole picture (full_offload) fails: a server gets the whole" in err
    report = (out / "latest" / "report.md").read_text()
    assert "**A control fails: no number of this run may be used.**" in report
