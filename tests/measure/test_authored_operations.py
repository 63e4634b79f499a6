"""A key that the server also has is no privacy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from own_operations import Echo, Keyed, under_key
from pedbench.base import Defense

@dataclass(kw_only=True)
class {title}(Defense):
    \"\"\"Send pixels to an operation of its own.\"\"\"
    name = "{name}"
    version = 1
    disclosure = "degraded"
    def embed(self, frame, edge, cloud):
        pixels = np.rint(frame * 255).astype(np.uint8)
        cloud[0].call("{operation}", pixels={sent}).result()
        return edge.encode_image(frame)
"""


@pytest.mark.long
def test_a_cipher_counts_as_the_whole_frame_and_a_shown_picture_as_what_it_is(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "offload")
    plugins = []
    for name, operation, sent in (("hides", "keyed", "under_key(pixels)"), ("dims", "echo", "pixels // 2")):
        plugins.append(tmp_path / f"{name}.py")
        text = PLUGIN.format(title=name.capitalize(), name=name, operation=operation, sent=sent)
        plugins[-1].write_text(text)
    done = run_small(
        tmp_path / "run",
        plugins,
        dataset={"name": "scenes", "params": {"count": 8}, "limit": 1},
        utility=[],
        defenses=[{"name": name, "latency": False} for name in ("full_offload", "hides", "dims")],
        attacks=["mean_colour"],
        metrics=["root_mean_square_error"],
        coalitions=[{"c": 1, "m": 3}],
    )
    leaked, flags = {}, {}
    for record in done.records:
        if "attack" in record.cell:
            name = record.cell["defense"]["name"]
            (leaked[name],) = (each.value for each in record.metrics if each.name == "leakage[RMSE]")
            flags[name] = "content judged by its author" in record.flags
            if flags[name]:
                distrust = record.provenance["distrust"]
    assert distrust.startswith("keyed: what it shows of two pictures differs")
    assert leaked["hides"] == leaked["full_offload"] == 1
    assert leaked["dims"] < 0.5
    assert flags == {"full_offload": False, "hides": True, "dims": False}
