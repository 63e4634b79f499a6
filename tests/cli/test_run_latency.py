"""`pedbench serve`, and suites that time passes, on the command line."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pedbench.cli import main
from pedbench.latency.devices import find_device
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.network.certificates import make_keys
from pedbench.offload.servers import remote
from pedbench.report.numbers.times import times
from pedbench.report.words.text import PHASES
from pedbench.results.run import load
from pedbench.results.summary import MOMENTS
from pedbench.results.values import read_values

Serve = Callable[..., AbstractContextManager[Any]]

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
limit = 3
[[defenses]]
name = "on_device"
[[defenses]]
name = "full_offload"
[[defenses]]
name = "ped_sam"
sweep = { servers = [2, 3] }
[latency]
samples = 3
warmup = 1
links = ["wifi-6"]
devices = { edge = "jetson-orin-nano", server = "this-host" }
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
    """Run a command and return its exit status, output and errors."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, captured.out, captured.err


@pytest.fixture
def busy_address() -> Iterator[str]:
    """Return an address at which another program listens."""
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
        (["keys", "keys", "--server", "../gpu1"], "--server: expected names and addresses of one machine"),
    ],
)
def test_wrong_input_is_a_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = pedbench(capsys, *arguments)
    assert status == 2, err
    assert sentence in err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--servers localhost:1,b", "--servers: expected HOST:PORT"),
        ("--servers a:1", "--servers: a is beyond this machine, and without TLS"),
        (
            "--servers 127.0.0.1:1 --link lte",
            "--link: with --servers the network between the machines is measured as it is",
        ),
        ("--keys keys", "--keys is for --servers"),
        ("--servers a:1 --keys no/keys", "--keys: there is no no/keys/authority.pem"),
        (
            "--servers 127.0.0.1:1 --defense ped_sam --sweep ped_sam.servers=2",
            "every defense calls 2 servers or more, and --servers names 1",
        ),
        ("--link wify-5", "there is no link 'wify-5' (did you mean 'wifi-5'?)"),
        ("--link network", "the link 'network' lies between machines: name them with --servers"),
        ("--set latency.devices={edge='jetson'}", "latency: there is no device 'jetson'"),
        ("--set latency.dtype=float8", "--set latency.dtype: Input should be 'float16' or 'bfloat16'"),
        ("--set latency.sample=3", "--set latency.sample: Extra inputs are not permitted"),
        ("--suite mini --set latency.dtype=float16", "is for suites that measure nothing but latency"),
        ("--random-weights", "--random-weights takes a --model"),
        ("--limit 300", "holds 200 readable pictures, fewer than the limit of 300"),
    ],
)
def test_a_run_that_cannot_be_is_a_sentence_and_status_2(
    options: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = [] if "--suite" in options else ["latency"]
    status, _, err = pedbench(capsys, "run", *suite, *options.split(), "--out", str(tmp_path))
    assert status == 2, err
    assert sentence in err
    assert not (tmp_path / "latest").exists()


def test_a_port_in_use(busy_address: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = pedbench(capsys, "serve", "--bind", busy_address)
    assert status == 2
    assert f"cannot listen at {busy_address}: another program uses the port" in err


def test_a_server_that_cannot_be_reached(
    busy_address: str,
    suite: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 0.5)
    status, _, err = pedbench(capsys, "run", suite, "--servers", busy_address, "--out", str(tmp_path))
    assert status == 2
    assert f"server {busy_address} cannot be reached without TLS" in err


def test_servers_with_other_weights_are_refused(
    serve: Serve, suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve("--random-weights") as server:
        status, _, err = pedbench(capsys, "run", suite, "--servers", server.address, "--out", str(tmp_path))
    assert status == 2
    assert f"server {server.address} has other weights than this machine for ped-mini, sam-mini" in err


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
