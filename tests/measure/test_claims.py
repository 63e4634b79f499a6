"""Probes from end to end: what servers hold is read, related to the undefended picture, and told in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pedbench.base import Claim
from pedbench.measure.claims import _read
from pedbench.measure.probe_reader import Reader
from pedbench.plugins.datasets.scenes import Scenes
from pedbench.privacy.claims import held_against, planted
from pedbench.privacy.pieces import Piece
from pedbench.results.run import load

pytestmark = pytest.mark.long

SCENES = {"name": "scenes", "params": {"count": 8}, "limit": 3}
DEFENSES = [
    {"name": "on_device"},
    {"name": "full_offload"},
    {"name": "gaussian_blur"},
    {"name": "ped_sam"},
    {"name": "random_payload"},
    {"name": "split_blocks"},
]
SOURCES = ("tiles", "guess")


@pytest.fixture(scope="module")
def probed(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three scenes with four words and four faces, all kinds of disclosure."""
    pytest.importorskip("rapidocr")
    return run_small(
        tmp_path_factory.mktemp("probed"),
        ["sleepy", "missing"],
        report=True,
        dataset=SCENES,
        defenses=[{"latency": False, **defense} for defense in DEFENSES],
        attacks=["mean_colour", "read_degraded"],
        metrics=["root_mean_square_error"],
        probes=[
            {"name": "ocr", "attacks": ["read_degraded"]},
            {"name": "faces", "limit": 2},
            "sleepy",
            "missing",
        ],
    )


def cells(run: Any, defense: str, probe: str, source: str = "tiles") -> list[Any]:
    """For c = 1 and c = N."""
    return [
        record
        for record in run.of(defense, "privacy")
        if record.cell.get("probe", {}).get("name") == probe and record.cell["source"] == source
    ]


def number(record: Any, name: str, region: str) -> float:
    (found,) = [metric for metric in record.metrics if (metric.name, metric.region) == (name, region)]
    return float(found.value)


def test_what_is_known_of_a_defense_is_found(probed: Any) -> None:
    def relative(defense: str, source: str = "tiles") -> list[float]:
        found = cells(probed, defense, "ocr", source)
        assert [record.status for record in found] == ["ok", "ok"], found
        return [number(record, f"words read[{source}]", "relative") for record in found]

    assert relative("full_offload") == relative("full_offload", "guess") == [1, 1]
    assert relative("on_device") == relative("on_device", "guess") == [0, 0]
    assert relative("random_payload") == [0, 0]
    assert relative("gaussian_blur")[0] < 0.5
    one, together = relative("ped_sam")
    assert one <= together
    assert together >= 1
    for record in cells(probed, "on_device", "ocr"):
        assert number(record, "character error rate[tiles]", "planted") == 1
        assert number(record, "character error rate[undefended]", "planted") < 0.2


def test_the_undefended_picture_is_the_same_for_all(probed: Any) -> None:
    frames = [
        values[values["metric"].str.endswith("[undefended]")].reset_index(drop=True)
        for defense in ("on_device", "full_offload", "ped_sam")
        for record in cells(probed, defense, "ocr")
        if not (values := probed.values(record)).empty
    ]
    assert len(frames) == 6
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0], check_exact=True)


def test_values_are_about_every_planted_secret_of_the_limited_selection(probed: Any) -> None:
    dataset = Scenes(count=8)
    for probe, kind, pictures in (("ocr", "text", 3), ("faces", "face", 2)):
        samples = [dataset[index] for index in range(pictures)]
        expected = {(s.id, n) for s in samples for n, secret in enumerate(s.secrets) if secret.kind == kind}
        values = probed.values(cells(probed, "ped_sam", probe)[0])
        for metric, rows in values.groupby("metric"):
            coalitions = 1 if str(metric).endswith("[undefended]") else 3
            assert set(zip(rows["image"], rows["annotation"], strict=True)) == expected
            assert len(rows) == coalitions * len(expected)


def test_the_worst_coalition_of_each_picture_counts(probed: Any) -> None:
    record = cells(probed, "ped_sam", "ocr")[0]
    values = probed.values(record)
    rows = values[values["metric"] == "words read[tiles]"]
    itself = values[values["metric"] == "words read[undefended]"]
    # By hand: of each picture the coalition that reads most, then all words together.
    read = sum(picture.groupby("servers")["value"].sum().max() for _, picture in rows.groupby("image"))
    assert number(record, "words read[tiles]", "planted") == pytest.approx(read / len(itself))
    assert number(record, "words read[tiles]", "relative") == pytest.approx(read / itself["value"].sum())


def test_what_cannot_be_read_is_told(probed: Any) -> None:
    for source in SOURCES[:1]:
        for record in cells(probed, "split_blocks", "ocr", source):
            assert (record.status, record.reason.split(":")[0]) == (
                "skipped",
                "tokens were received and no pixels",
            )
    for record in cells(probed, "ped_sam", "missing"):
        assert (record.status, record.reason) == ("skipped", "there is no crystal ball: buy one")
    for record in cells(probed, "ped_sam", "sleepy"):
        assert record.status == "invalid"
        assert record.reason.startswith("probe sleepy finds 0.00 of 4 planted secrets in the undefended")


def test_a_control_does_not_depend_on_probes(probed: Any) -> None:
    from pedbench.validity.controls import controls

    assert {control.name: control.verdict for control in controls(load(probed.directory))} == {
        "nothing sent": "holds",
        "whole picture": "holds",
        "decoy": "holds",
    }


def test_the_report_has_a_line_for_what_was_read(probed: Any) -> None:
    report = (probed.directory / "report.md").read_text()
    section = report[report.index("## Claims") : report.index("## Terms")]
    assert "### Found by ocr, c = 1 (m = 3)" in section
    assert "`the picture itself`" in section
    line = next(line for line in section.splitlines() if line.startswith("| `full_offload`"))
    assert line.split("|")[2].strip() == "`tiles`"
    assert "1.000 [1.000, 1.000]" in line
    table = pd.read_csv(probed.directory / "tables" / "claims.csv", keep_default_na=False)
    measured = {"words read", "character error rate", "faces found", ""}
    assert measured == set(table["metric"])
    assert {"tiles", "guess", "undefended"} == set(table["source"])
    privacy = pd.read_csv(probed.directory / "tables" / "privacy.csv")
    assert not privacy["metric"].str.contains("words read").any()


def test_pictures_without_known_secrets_are_skipped(run_small: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    (tmp_path / "pictures").mkdir()
    Image.fromarray(pixels).save(tmp_path / "pictures" / "a.png")
    done = run_small(
        tmp_path / "run",
        dataset={"name": "folder", "params": {"data": str(tmp_path / "pictures")}},
        defenses=[{"name": "full_offload", "latency": False}],
        metrics=["root_mean_square_error"],
        probes=["faces"],
    )
    for record in cells(done, "full_offload", "faces"):
        assert record.status == "skipped"
        assert "hold nothing, of which the dataset knows, that the probe looks for" in record.reason


class Rectangles:
    """A probe that claims a word wherever a picture is bright, and counts how often it was asked."""

    name, version, label, reads, side = "rectangles", 1, "rectangles", "text", 0

    def __init__(self) -> None:
        # A reader's copies count together.
        self.counted: list[None] = []

    @property
    def asked(self) -> int:
        return len(self.counted)

    def prepare(self, device: str) -> None: ...

    def claims(self, picture: Any) -> list[Claim]:
        self.counted.append(None)
        rows, columns = np.nonzero(picture[..., 0] > 0.5)
        if not rows.size:
            return []
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        return [Claim(kind="text", content="word", box=tuple(map(float, box)), confidence=1)]  # type: ignore[arg-type]


def test_leaving_out_what_cannot_count_changes_no_value() -> None:
    """Pieces that hold nothing of a secret are not read: the rest gives what reading everything gives."""
    sample = Scenes(count=8)[0]
    size = (sample.image.shape[0], sample.image.shape[1])
    tiles = [
        Piece(picture=sample.image[top : top + 64, left : left + 64], top=top, left=left)
        for top in range(0, size[0], 64)
        for left in range(0, size[1], 64)
    ]
    secrets = planted(sample, "text", size)
    few, every = Rectangles(), Rectangles()
    reader, brute = Reader(few, "cpu"), Reader(every, "cpu")  # type: ignore[arg-type]
    item: Any = type("Item", (), {"frame": sample.image})
    claims = list(_read(reader, tiles, item, secrets.values()))
    everything = [claim for tile in tiles for claim in brute.read(tile, size)]
    assert 0 < few.asked < every.asked == len(tiles)
    for secret in secrets.values():
        assert held_against(secret, claims) == held_against(secret, everything)
    # The same content elsewhere, or again, is not read again.
    list(_read(reader, tiles, item, secrets.values()))
    brute.read(Piece(picture=tiles[0].picture, top=100, left=100), size)
    assert few.asked < every.asked == len(tiles)


def test_claims_end_where_the_piece_ends() -> None:
    white = Piece(picture=np.ones((10, 20, 3), np.float32), top=30, left=40)
    (claim,) = Reader(Rectangles(), "cpu").read(white, (240, 320))  # type: ignore[arg-type]
    assert claim.box == (40, 30, 20, 10)
