"""A suite that times passes."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return str(path)
