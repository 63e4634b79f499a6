"""Speed of named devices, calibrated on published times of whole encoders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomli

from pedbench.errors import suggestion
from pedbench.latency import multiply_adds
from pedbench.models.sam.architectures import Architecture, architecture
from pedbench.types import Window

FILE = Path(__file__).with_name("devices.toml")

THIS_HOST = "this-host"
"""The device that is measured where it is named."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """Speed of a device, as edge or as server.

    Attributes:
        name: As in `devices.toml`, or of a host that was measured.
        about: What it is.
        window_rate: Multiply-adds a second in the window stage.
        global_rate: The same in the global blocks and the neck.
        start: Seconds that each call of the window stage takes besides.
    """

    name: str
    about: str
    window_rate: float
    global_rate: float
    start: float = 0.0

    def window_stage(self, of: Architecture, windows: Iterable[Window]) -> float:
        """Seconds of the window stage on some windows."""
        return self.start + multiply_adds.window_stage(of, windows) / self.window_rate

    def global_stage(self, of: Architecture) -> float:
        """Seconds of the global blocks and the neck."""
        return (multiply_adds.global_blocks(of) + multiply_adds.neck(of)) / self.global_rate

    def encoder(self, of: Architecture) -> float:
        """Seconds of the whole encoder."""
        mixed = multiply_adds.global_blocks(of) + multiply_adds.neck(of)
        return self.start + (multiply_adds.encoder(of) - mixed) / self.window_rate + mixed / self.global_rate


@cache
def _published() -> Mapping[str, Any]:
    return tomli.loads(FILE.read_text(encoding="utf-8"))


def device_names() -> tuple[str, ...]:
    """The devices of `devices.toml`."""
    return tuple(_published())


def find_device(name: str, slower: float = 1.0) -> Device:
    """A device by its name.

    Args:
        name: One of `device_names()`.
        slower: How many times as long a multiply-add of a global block or the neck takes as one of the window
            stage. The published times are of whole encoders and do not tell the two apart; 1 takes both alike.

    Raises:
        ValueError: The name is unknown, or the published times allow no such ratio.
    """
    if name not in _published():
        known = ", ".join(_published())
        raise ValueError(f"there is no device {name!r}{suggestion(name, _published())}. Known: {known}.")
    given = _published()[name]
    return calibrate(name, given["about"], given["times"], slower)


def calibrate(name: str, about: str, times: Mapping[str, float], slower: float = 1.0) -> Device:
    """A device from one or two times of whole encoders.

    Args:
        name: Of the device.
        about: What it is.
        times: Milliseconds by architecture. Of two, what both share besides the encoder drops out.
        slower: As in `find_device`.

    Raises:
        ValueError: Not one or two times, a ratio that is not positive, or times that contradict it.
    """
    if len(times) not in (1, 2) or slower <= 0:
        raise ValueError(f"expected one or two times and a positive ratio, found {dict(times)} and {slower}")
    work = [_weighted(architecture(each), slower) for each in times]
    seconds = [time / 1000 for time in times.values()]
    rate = (work[0] - work[-1]) / (seconds[0] - seconds[-1]) if len(work) == 2 else work[0] / seconds[0]
    # Besides the encoder nothing can have taken less than no time.
    if rate <= 0 or work[0] / rate > seconds[0] * (1 + 1e-9):
        raise ValueError(f"{name}: its times {dict(times)} allow no global blocks {slower:g} times as slow")
    return Device(name=name, about=about, window_rate=rate, global_rate=rate / slower)


def most_slower(times: Mapping[str, float]) -> float:
    """The largest ratio that two times allow: all that they took was the encoder.

    Raises:
        ValueError: Not two times; one allows every ratio.
    """
    if len(times) != 2:
        raise ValueError(f"expected two times, found {dict(times)}")
    (large, first), (small, second) = ((architecture(name), time) for name, time in times.items())
    parts = [multiply_adds.global_blocks(each) + multiply_adds.neck(each) for each in (large, small)]
    rest = [multiply_adds.encoder(each) - part for each, part in zip((large, small), parts, strict=True)]
    # Both equations rest / window_rate + part / global_rate = time, solved for window_rate / global_rate.
    return (first * rest[1] - second * rest[0]) / (second * parts[0] - first * parts[1])


def published_times(name: str) -> Mapping[str, float]:
    """Published times that a device of `devices.toml` is calibrated on: milliseconds by architecture."""
    times: Mapping[str, float] = _published()[name]["times"]
    return times


def _weighted(of: Architecture, slower: float) -> float:
    mixed = multiply_adds.global_blocks(of) + multiply_adds.neck(of)
    return multiply_adds.encoder(of) - mixed + slower * mixed
