"""What a run says to the network: nothing, in all its processes and in code that is not Python's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
name = "quiet"
version = 1
seed = 0
model = "mini"
attacks = ["mean_colour"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 1 }]
probes = [{ name = "ocr", attacks = ["mean_colour"] }]
dataset = { name = "scenes", params = { count = 8 }, limit = 1 }
utility = [{ protocol = "clicks", prompts = ["1"] }]
defenses = [{ name = "full_offload" }]
latency = { samples = 1, warmup = 1, turn_taking = false }
"""
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.|0\.0\.0\.0$|::$")


@pytest.mark.long
def test_a_run_looks_no_name_up_and_stays_on_this_host(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr")
    strace = shutil.which("strace") or "strace"
    if not Path(strace).exists() or subprocess.run([strace, "-f", "true"], check=False).returncode:
        pytest.skip("needs strace, and the right to trace")
    suite, trace = tmp_path / "quiet.toml", tmp_path / "trace"
    suite.write_text(SUITE)
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    command = [sys.executable, "-m", "pedbench", "run", str(suite), "--fresh", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run(
        [strace, "-f", "-qq", "-o", str(trace), "-e", calls, *command], env=environment, check=True
    )
    lines = trace.read_text(errors="replace").splitlines()
    addresses = {"".join(found) for line in lines for found in ADDRESS.findall(line)}
    assert any(address.endswith("127.0.0.1") for address in addresses), (
        "the servers' channel is not in the trace"
    )
    assert not [address for address in addresses if not LOOPBACK.match(address)]
    # A look-up goes to a name server, which may be on this host.
    assert not [line for line in lines if "htons(53)" in line]
