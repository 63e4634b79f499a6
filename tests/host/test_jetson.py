"""What a Jetson says of itself, from texts in its documented formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.host.jetson import jetson_facts, parse_power_mode, parse_release

ORIN = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8\n"
NANO = "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64, DATE: Sat Feb 19\n"


@pytest.mark.parametrize(("text", "release"), [(ORIN, "36.4.3"), (NANO, "32.7.1"), ("Ubuntu 22.04", "")])
def test_release(text: str, release: str) -> None:
    assert parse_release(text) == release


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("NV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER"),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W_6CORE\n2\n", "MODE_15W_6CORE"),
        ("NVPM ERROR: failed to open the power model\n", ""),
    ],
)
def test_power_mode(text: str, mode: str) -> None:
    assert parse_power_mode(text) == mode


def test_facts_are_read_where_they_are(tmp_path: Path) -> None:
    assert jetson_facts(tmp_path) == {}
    files = {
        "etc/nv_tegra_release": ORIN,
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1510400\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1728000\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "729600\n",
        "sys/class/devfreq/17000000.gpu/cur_freq": "624750000\n",
        "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert jetson_facts(tmp_path) == {
        "board": "NVIDIA Jetson Orin Nano Developer Kit",
        "l4t": "36.4.3",
        "cpu_mhz": "1510 729",
        "cpu_max_mhz": "1728",
        "gpu_mhz": "624",
        "gpu_max_mhz": "1020",
    }


@pytest.mark.parametrize("gpu", ["17000000.gp10b", "17000000.gv11b", "17000000.ga10b", "57000000.gpu"])
def test_gpus_are_known_by_the_names_of_all_boards(tmp_path: Path, gpu: str) -> None:
    devices = "sys/class/devfreq"
    clocks = {f"{devices}/{gpu}/cur_freq": "114750000\n", f"{devices}/15340000.vic/cur_freq": "115200000\n"}
    for name, text in {"etc/nv_tegra_release": NANO, **clocks}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert jetson_facts(tmp_path) == {"l4t": "32.7.1", "gpu_mhz": "114"}
