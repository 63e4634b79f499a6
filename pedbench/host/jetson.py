"""Facts that a Jetson states: its name, release, power mode and clocks."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_GPUS = ("*gpu*", "*.gp10b", "*.gv11b", "*.ga10b")
"""Device names of GPUs: of most releases, and of TX2, Xavier and Orin by their chips."""


def parse_release(text: str) -> str:
    """Return the L4T release in `/etc/nv_tegra_release`, or "".

    Examples:
        >>> parse_release("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64")
        '36.4.3'
    """
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return f"{found[1]}.{found[2]}" if found else ""


def parse_power_mode(text: str) -> str:
    """Return the power mode in the output of `nvpmodel -q`, or "".

    Examples:
        >>> parse_power_mode("NVPM WARN: fan mode is not set!\\nNV Power Mode: 15W\\n0\\n")
        '15W'
    """
    found = re.search(r"^NV Power Mode: *(\S.*?) *$", text, re.MULTILINE)
    return found[1] if found else ""


def jetson_facts(root: Path = Path("/")) -> dict[str, str]:
    """Return all facts that can be read; empty on a machine that is no Jetson.

    Args:
        root: Of the file system.
    """
    release = parse_release(_read(root / "etc/nv_tegra_release"))
    if not release:
        return {}
    facts = {
        "board": _read(root / "proc/device-tree/model").rstrip("\0"),
        "l4t": release,
        "jetpack": _printed(["dpkg-query", "--show", "--showformat=${Version}", "nvidia-jetpack"]),
        "power_mode": parse_power_mode(_printed(["nvpmodel", "-q"])),
        **dict(_clocks(root)),
    }
    return {name: value for name, value in facts.items() if value}


def _clocks(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the clocks as they are now, and the highest that the power mode allows."""
    cpus = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"))
    for name, file in (("cpu_mhz", "scaling_cur_freq"), ("cpu_max_mhz", "scaling_max_freq")):
        # In kHz.
        found = [text for cpu in cpus if (text := _read(cpu / file)).isdecimal()]
        yield name, " ".join(str(int(text) // 1000) for text in found)
    for gpu in sorted(each for name in _GPUS for each in (root / "sys/class/devfreq").glob(name)):
        for name, file in (("gpu_mhz", "cur_freq"), ("gpu_max_mhz", "max_freq")):
            # In Hz.
            text = _read(gpu / file)
            yield name, str(int(text) // 1_000_000) if text.isdecimal() else ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _printed(command: Sequence[str]) -> str:
    """Return the output of a program; "" if there is no such program or it fails."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
