"""`pedbench serve` and `pedbench latency` as a user meets them."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.cli import main
from pedbench.latency.devices import find_device
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.offload.servers import remote

Serve = Callable[..., AbstractContextManager[Any]]

PHASES = ("prepare", "uplink", "slowest server", "downlink", "edge", "decoder")
SUITE = """
name = "tiny"
version = 1
seed = 0
model = "mini"
attacks = []
metrics = []
coalitions = []
[dataset]
name = "scenes"
params = { count = 8 }
[[utility]]
protocol = "clicks"
prompts = ["1"]
[[defenses]]
name = "on_device"
[latency]
samples = 3
warmup = 1
"""
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


def pedbench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, captured.out, captured.err


@pytest.fixture
def taken() -> Iterator[str]:
    """An address where something else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve", "--bind", "here"], "--bind: expected HOST:PORT, such as 192.168.1.20:50051, found 'here'"),
        (["serve", "--bind", "::1:5000"], "--bind: expected HOST:PORT"),
        (["serve", "--bind", "203.0.113.9:0"], "--bind: 203.0.113.9 is beyond this machine, and without TLS"),
        (["serve", "--bind", "0.0.0.0:0"], "--bind: 0.0.0.0 is beyond this machine, and without TLS"),
        (["serve", "--keys", "no/keys"], "--keys: there is no no/keys/authority.pem"),
        (["serve", "--model", "vit_x"], "unknown model family 'vit_x'"),
        (["serve", "--model", "vit_b"], "no weights were named for vit_b: give --original"),
        (["serve", "--random-weights", "--original", "x.pth"], "--random-weights takes no checkpoint"),
        (["serve", "--plugin", "no_such_module"], "--plugin: No module named 'no_such_module'"),
        (["serve", "--device", "cuda:99"], "--device: there is no 'cuda:99' here"),
        (["latency", "--servers", "localhost:1,b"], "--servers: expected HOST:PORT"),
        (["latency", "--servers", "a:1"], "--servers: a is beyond this machine, and without TLS"),
        (
            ["latency", "--servers", "a:1", "--link", "lte"],
            "--link: with --servers the network and the machines themselves are measured",
        ),
        (["latency", "--servers", "a:1", "--edge-device", "rtx-3090"], "--edge-device: with --servers"),
        (["latency", "--edge-device", "jetson"], "there is no device 'jetson'"),
        (["latency", "--server-device", "rtx"], "there is no device 'rtx'"),
        (["latency", "--keys", "keys"], "--keys is for --servers"),
        (["latency", "--servers", "a:1", "--keys", "no/keys"], "--keys: there is no no/keys/authority.pem"),
        (["keys", "keys", "--server", "../gpu1"], "--server: expected names and addresses of one machine"),
        (["latency", "--link", "wify-5"], "there is no link 'wify-5' (did you mean 'wifi-5'?)"),
        (["latency", "--dtype", "float8"], "--dtype: expected one of float32, float16, bfloat16"),
        (["latency", "--samples", "300"], "holds 200 readable pictures, fewer than the limit of 300"),
        (
            ["latency", "--servers", "127.0.0.1:1", "--sweep", "ped_sam.servers=2"],
            "a defense calls 2 servers, and --servers names 1",
        ),
    ],
)
def test_wrong_input_is_a_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = pedbench(capsys, *arguments)
    assert status == 2, err
    assert sentence in err


def test_a_port_in_use(taken: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = pedbench(capsys, "serve", "--bind", taken)
    assert status == 2
    assert f"cannot listen at {taken}: another program may have the port" in err


def test_a_server_that_cannot_be_reached(
    taken: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 0.5)
    status, _, err = pedbench(capsys, "latency", "--servers", taken, "--samples", "1")
    assert status == 2
    assert f"server {taken} cannot be reached without TLS" in err


def test_servers_with_other_weights_are_refused(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    with serve("--random-weights") as server:
        status, _, err = pedbench(capsys, "latency", "--servers", server.address, "--samples", "1")
    assert status == 2
    assert (
        f"server {server.address} has other weights than this machine for ped-mini, sam-mini, sam-tiny:"
        in err
    )


@pytest.mark.slow
def test_remote_servers_are_compared_with_the_device(
    serve: Serve, suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with serve("--random-weights") as first, serve("--random-weights") as second:
        addresses = f"{first.address},{second.address}"
        arguments = [
            "latency",
            "--suite",
            suite,
            "--servers",
            addresses,
            "--random-weights",
            "--out",
            str(out),
        ]
        status, said, err = pedbench(capsys, *arguments)
    assert status == 0, err
    summary = pd.read_csv(out / "summary.csv")
    rows = [*zip(summary["way"], summary["link"], summary["defense"], summary["servers"], strict=True)]
    assert rows == [
        ("wall", "network", "on_device", 0),
        ("wall", "network", "full_offload", 1),
        ("wall", "network", "ped_sam", 1),
        ("wall", "network", "ped_sam", 2),
    ]
    facts = json.loads((out / "facts.json").read_text())
    assert [server["address"] for server in facts["servers"]] == addresses.split(",")
    assert all(server["clock_offset"]["uncertainty"] > 0 for server in facts["servers"])
    for words in ("WALL: MEASURED", "a machine of its own", "random weights", "3*", "fewer than 20 samples"):
        assert words in said
    assert "TURN-TAKING" not in said
    assert "PROJECTED" not in said
    assert "projection" not in facts
    assert sorted(path.name for path in (out / "figures").glob("*.png")) == [
        "wall-phases.png",
        "wall-servers.png",
    ]


@pytest.mark.slow
def test_ways_of_measuring_stand_apart_and_failures_are_told(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, out = tmp_path / "fussy.py", tmp_path / "out"
    plugin.write_text(FUSSY)
    arguments = ["latency", "--suite", suite, "--plugin", str(plugin), "--out", str(out), "--link", "wifi-6"]
    for name in ("on_device", "full_offload", "fussy"):
        arguments += ["--defense", name]
    status, said, _ = pedbench(capsys, *arguments)
    assert status == 1
    assert "failed: fussy, 1 server, wall over wifi-6: over wifi-6: ArithmeticError: no more of this" in said
    assert said.index("WALL: MEASURED") < said.index("TURN-TAKING: COMPOSED")
    samples = pd.read_csv(out / "samples.csv")
    assert set(samples["way"]) == {"wall", "turn-taking", "projected"}
    assert set(samples["defense"]) == {"on_device", "full_offload"}
    # Composed for every link, measured over one.
    links = samples.groupby("way")["link"].unique()
    assert set(links["wall"]) == {"wifi-6"}
    assert set(links["turn-taking"]) == set(links["projected"]) > {"loopback", "lte", "5g"}
    check_projection(samples, json.loads((out / "facts.json").read_text())["projection"])
    summary = pd.read_csv(out / "summary.csv")
    for _, row in summary[summary["n"] > 0].iterrows():
        raw = samples[
            (samples["way"] == row["way"])
            & (samples["link"] == row["link"])
            & (samples["defense"] == row["defense"])
            & samples["phase"].isin(PHASES)
        ]
        assert row["p50"] == pytest.approx(raw.groupby("image")["value"].sum().median())
        assert row["n"] == raw["image"].nunique() == 3
    report = (out / "latency.md").read_text()
    assert report.index("## Wall: measured") < report.index("## Turn-taking: composed")
    assert report.index("## Turn-taking: composed") < report.index("## Projected to edge jetson-orin-nano")
    assert "EXTRAPOLATED: no time of sam-mini itself was published" in report
    assert "## Not measured" in report


@pytest.mark.slow
def test_rows_stay_when_a_later_one_is_interrupted(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, out = tmp_path / "fussy.py", tmp_path / "out"
    plugin.write_text(FUSSY.replace('ArithmeticError("no more of this")', "KeyboardInterrupt"))
    arguments = ["latency", "--suite", suite, "--plugin", str(plugin), "--out", str(out)]
    for name in ("on_device", "fussy"):
        arguments += ["--defense", name]
    status, _, _ = pedbench(capsys, *arguments)
    assert status == 130
    assert set(pd.read_csv(out / "samples.csv")["defense"]) == {"on_device"}
    assert "Not finished: rows are missing." in (out / "latency.md").read_text()


def check_projection(samples: pd.DataFrame, projection: dict[str, Any]) -> None:
    """on_device is the encoder on the device, which is told by its published figure."""
    by = samples[(samples["defense"] == "on_device") & (samples["link"] == "lte")].set_index(["way", "image"])
    edge, decoder = by[by["phase"] == "edge"]["value"], by[by["phase"] == "decoder"]["value"]
    assert projection["host_seconds"] == pytest.approx(edge["turn-taking"].median())
    assert edge["projected"].median() == pytest.approx(find_device("jetson-orin-nano").encoder(SAM_MINI))
    factor = projection["edge"]["factor"]
    assert (decoder["projected"] / decoder["turn-taking"]).tolist() == pytest.approx([factor] * 3)
