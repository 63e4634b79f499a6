"""Runs over several links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.long
@pytest.mark.slow
def test_every_link_is_timed_and_changes_nothing_else(run_small: Any, tmp_path: Path) -> None:
    latency = {"samples": 2, "warmup": 1, "links": ["loopback", "lte"]}
    defenses = [{"name": name, "privacy": False} for name in ("on_device", "full_offload", "ped_sam")]
    done = run_small(tmp_path, latency=latency, defenses=defenses)
    assert {record.status for record in done.records} == {"ok"}
    for defense in ("on_device", "full_offload", "ped_sam"):
        plain, far = done.of(defense, "latency")
        assert (plain.cell["link"], far.cell["link"]) == ("loopback", "lte")
        if defense == "on_device":
            assert plain.metrics == far.metrics
            continue
        for way in ("wall p50", "turn-taking p50"):
            near, slow = ({m.region: m.value for m in r.metrics if m.name == way} for r in (plain, far))
            sent, came = (
                next(m.value for m in far.metrics if m.name == f"bytes {to}") for to in ("up", "down")
            )
            # 22 - 8 ms each way and the slower direction at its rate.
            least = 2 * 0.014 + max(sent * 8 / 8.6e6, came * 8 / 27.3e6)
            assert slow["end to end"] > near["end to end"] * 0.5 + least
            assert slow["uplink"] > 0.014
            assert slow["downlink"] > 0.014
        bytes_of = [[m for m in r.metrics if m.name.startswith("bytes")] for r in (plain, far)]
        assert bytes_of[0] == bytes_of[1]
