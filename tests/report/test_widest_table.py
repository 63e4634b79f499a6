"""The first table with every column that the suite `mini` fills, as wide as a browser shows it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pedbench.report.numbers.combined import measures_of, rules_of
from pedbench.report.numbers.first_table import DISTANCES, FAMILIES, first_table
from pedbench.report.tables.first import first_table as as_table
from tests.chromium import resized
from tests.report.made_defenses import REFERENCE, Numbers, made_run

pytestmark = pytest.mark.slow

DEFENSES = [
    REFERENCE,
    Numbers(name="gaussian_blur", params={"sigma": 0.0078125, "weights": "original"}),
    Numbers(name="gaussian_blur", params={"sigma": 0.015625, "weights": "original"}),
    Numbers(name="ped_sam", params={"servers": 3, "weights": "fine-tuned"}),
    Numbers(name="ped_sam", params={"servers": 25, "weights": "fine-tuned"}),
]


def test_it_fits_a_window_of_1400_pixels(browser: Any, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", DEFENSES)
    frame = first_table(run)
    rule = rules_of(frame)[0]
    for part in ("value", "low", "high", "n"):
        frame[f"faces_found_{rule}_{part}"] = frame[f"words_read_{rule}_{part}"]
        frame[f"turn_taking_p50_{part}"] = frame[f"wall_p50_{part}"]
    for measure in measures_of(frame):
        frame[f"{measure}_{rule}_low"] = -0.004
        frame[f"{measure}_{rule}_attack"] = "diffusion_inpaint(samples=2)"
    frame["retention_reference"] = "on_device(weights=prolonged)"
    for name in (f"{family}_{distance}" for family in FAMILIES.values() for distance in DISTANCES):
        frame[[f"{name}_value", f"{name}_n", f"{name}_of", f"{name}_how"]] = (
            1.553,
            24,
            24,
            "read out by deblur",
        )
    table = as_table(run, frame, reported=True)
    assert len(table.columns) == 17
    style = (resources.files("pedbench.report.outputs") / "page.css").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    # As tall as a report, so that there is a bar to scroll with.
    page.write_text(
        f'<meta charset="utf-8"><style>{style}</style><section id="results">'
        f'<div class="table">{table.html()}</div></section><div style="height: 3000px"></div>',
        encoding="utf-8",
    )
    resized(browser, 1400, 900)
    browser.get(page.as_uri())
    widths = "const each = document.querySelector('.table'); return [each.scrollWidth, each.clientWidth]"
    inner, outer = browser.execute_script(widths)
    assert inner <= outer
