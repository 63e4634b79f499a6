"""Suites that time passes, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pedbench.latency.devices import find_device
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.network.certificates import make_keys
from pedbench.report.numbers.times import times
from pedbench.report.words.text import PHASES
from pedbench.results.run import load
from pedbench.results.summary import MOMENTS
from pedbench.results.values import read_values
from tests.cli.command_line import pedbench

Serve = Callable[..., AbstractContextManager[Any]]

FUSSY = """
from dataclasses import dataclass

from pedbench.base import Defense


@dataclass(kw_only=True)
class Fussy(Defense):
    \"\"\"Fails on every other picture.\"\"\"

    name = "fussy"
    version = 1
    disclosure = "exact"
    seen = 0

    def embed(self, frame, edge, cloud):
        Fussy.seen += 1
        if Fussy.seen % 2 == 0:
            raise ArithmeticError("no more of this")
        return cloud[0].encode_image(frame)
"""


@pytest.mark.long
def test_servers_on_other_machines_are_timed_as_they_are(
    serve: Serve, suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, out = tmp_path / "keys", tmp_path / "out"
    make_keys(keys, [["one", "127.0.0.1"], ["two", "127.0.0.1"]], days=1)
    with serve("--keys", str(keys / "one")) as one, serve("--keys", str(keys / "two")) as two:
        addresses = f"{one.address},{two.address}"
        options = ["--servers", addresses, "--keys", str(keys / "edge"), "--out", str(out)]
        status, _, err = pedbench(capsys, "run", suite, *options)
    assert status == 0, err
    # Servers that are not there are not waited for.
    assert "left out: ped_sam calls 3 servers, and --servers names 2" in err
    run = load(out / "latest")
    frame = times(run)
    assert [*zip(frame["way"], frame["link"], frame["defense"], frame["status"], strict=True)] == [
        ("wall", "network", defense, "ok") for defense in ("on_device", "full_offload", "ped_sam(servers=2)")
    ]
    for record in run.records:
        names = {"wall", "bytes up", "bytes down", *MOMENTS}
        assert set(read_values(run.directory, record.cell_id)["metric"]) <= names
        servers = record.provenance["servers"]
        assert [server["address"] for server in servers] == addresses.split(",")
        assert all(server["clock_offset"]["uncertainty"] > 0 for server in servers)
    report = (out / "latest" / "report.md").read_text()
    assert "### Wall, link network, float32" in report
    assert "its clock is known to ±" in report
    # What is finished is not run again: no server listens any more.
    assert pedbench(capsys, "run", suite, *options)[0] == 0


@pytest.mark.slow
def test_ways_of_timing_stay_apart_and_failures_are_rows(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, out = tmp_path / "fussy.py", tmp_path / "out"
    plugin.write_text(FUSSY)
    arguments = ["run", suite, "--plugin", str(plugin), "--out", str(out)]
    for name in ("on_device", "full_offload", "fussy"):
        arguments += ["--defense", name]
    for link in ("lte", "loopback"):
        arguments += ["--link", link]
    status, _, _ = pedbench(capsys, *arguments)
    assert status == 1
    run = load(out / "latest")
    assert {record.cell["defense"]["name"]: record.status for record in run.records} == {
        "on_device": "ok",
        "full_offload": "ok",
        "fussy": "failed",
    }
    assert any("ArithmeticError: no more of this" in record.reason for record in run.records)
    assert all(
        record.cell["devices"] == {"edge": "jetson-orin-nano", "server": "this-host"}
        for record in run.records
    )
    frame = times(run)
    shown = frame[frame["status"] == "ok"]
    assert {*zip(shown["way"], shown["link"], strict=True)} == {
        (way, link) for way in ("wall", "turn-taking", "projected") for link in ("lte", "loopback")
    }
    check_rows(run, shown)
    check_projection(run)
    report = (out / "latest" / "report.md").read_text()
    titles = [f"### {way}, link lte, float32" for way in ("Wall", "Turn-taking", "Projected")]
    assert [report.index(title) for title in titles] == sorted(report.index(title) for title in titles)
    assert "EXTRAPOLATED: no time of mini on jetson-orin-nano was published" in report
    assert "Projected server: this host, times as measured" in report


def check_rows(run: Any, shown: Any) -> None:
    """Check each row of the table against the raw values of its cell."""
    for _, row in shown.iterrows():
        values = read_values(run.directory, row["cell_id"])
        raw = values[(values["metric"] == row["way"]) & values["region"].isin(PHASES)]
        assert row["p50"] == pytest.approx(raw.groupby("image")["value"].sum().median())
        assert row["n"] == raw["image"].nunique() == 3
        alone = shown[
            (shown["way"] == row["way"]) & (shown["link"] == row["link"]) & (shown["defense"] == "on_device")
        ]
        assert row["against_device"] == pytest.approx(row["p50"] / alone["p50"].iloc[0])


def check_projection(run: Any) -> None:
    """Check that the projected edge takes as long for the encoder as its published time says."""
    record = next(record for record in run.records if record.cell["defense"]["name"] == "on_device")
    values = read_values(run.directory, record.cell_id)
    seconds = values.set_index(["metric", "region", "image"])["value"].sort_index()
    device = find_device("jetson-orin-nano").encoder(SAM_MINI)
    assert seconds["encoder", "edge device"].tolist() == pytest.approx([device] * 3)
    assert seconds["encoder", "server device"].tolist() == seconds["encoder", "this host"].tolist()
    factor = device / seconds["encoder", "this host"]
    for phase in ("edge", "decoder", "prepare"):
        projected = seconds["projected", phase] / seconds["turn-taking", phase]
        assert projected.tolist() == pytest.approx(factor.tolist())
