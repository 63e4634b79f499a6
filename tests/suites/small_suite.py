"""A small suite with a dataset of its own."""

from __future__ import annotations

from pathlib import Path

from pedbench.suites.files import load_suite
from pedbench.suites.schema import Suite

SUITE = """
name = "small"
version = 1
seed = 3
model = "mini"
attacks = ["mean_colour", { name = "biharmonic", params = { side = 40 } }]
metrics = []
coalitions = [{ c = 1, m = 3 }, { c = "N", m = 1 }]
[dataset]
name = "still"
limit = 4
[[utility]]
protocol = "clicks"
prompts = ["1"]
[[defenses]]
name = "on_device"
[[defenses]]
name = "ped_sam"
params = { servers = 3 }
latency = false
[latency]
samples = 2
warmup = 1
"""

DATASET = '''
"""A test dataset."""
from dataclasses import dataclass

from pedbench.base import Dataset


@dataclass(kw_only=True)
class Still(Dataset):
    """Nothing."""

    name = "still"
    version = 1
    data: str = ""
    revision = "1"
    left_out = {}

    def ids(self):
        return []

    def __getitem__(self, index):
        raise IndexError(index)
'''


def loaded(tmp_path: Path, text: str = SUITE) -> Suite:
    path = tmp_path / "small.toml"
    path.write_text(text)
    return load_suite(str(path))
