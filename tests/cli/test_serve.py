"""`pedbench serve` and `pedbench run --servers`: what they refuse."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pedbench.offload.servers import remote
from tests.cli.command_line import pedbench

Serve = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def busy_address() -> Iterator[str]:
    """Return an address at which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_servers_with_other_weights_are_refused(
    serve: Serve, suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve("--random-weights") as server:
        status, _, err = pedbench(capsys, "run", suite, "--servers", server.address, "--out", str(tmp_path))
    assert status == 2
    assert f"server {server.address} has other weights than this machine for ped-mini, sam-mini" in err
