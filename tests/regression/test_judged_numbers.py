"""Numbers that are judged are means of the values that are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.regression.judged_numbers import is_judged
from pedbench.regression.measured import measured_run
from tests.regression.comparisons import OBJECTS
from tests.regression.runs import (
    ATTACKED,
    GEOMETRY,
    IMAGES,
    LATENCY,
    READ,
    UTILITY,
    Made,
    attacked,
    timed,
    utility,
    write_run,
)


def claimed() -> pd.DataFrame:
    rows = []
    for index, image in enumerate(IMAGES):
        for secret in range(1 + index % 3):
            rows.append((image, secret, "", "words read[undefended]", 1.0))
            for servers, value in (("0", float(index % 2)), ("1", 0.0)):
                rows.append((image, secret, servers, "words read[tiles]", value))
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value"])


def geometry() -> pd.DataFrame:
    rows = []
    for index, image in enumerate(IMAGES):
        rows += [(image, -1, servers, "visible share", 0.1 * index / 2, "") for servers in ("0", "1")]
        rows += [(image, number, "", "exposure", 0.3 * number, "SML"[number]) for number in range(3)]
        rows += [
            (image, number, "", "secret exposure", 0.5 * number, "text") for number in range(1 + index % 2)
        ]
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value", "tag"])


@pytest.mark.slow
def test_judged_values_are_those_behind_the_numbers(tmp_path: Path, small_run: Any) -> None:
    cells = [
        Made(cell=UTILITY, values=utility(OBJECTS)),
        Made(cell=GEOMETRY, values=geometry()),
        Made(cell=ATTACKED, values=attacked(np.linspace(0.3, 0.6, 8))),
        Made(cell=READ, values=claimed()),
        Made(cell=LATENCY, values=timed(0.1)),
    ]
    judged: dict[str, int] = {}
    for directory in (write_run(tmp_path / "run", cells), small_run.directory):
        measured = measured_run(directory)
        for record in measured.run.records:
            values = measured.values(record)
            for metric in record.metrics:
                rows = values[(values["metric"] == metric.name) & (values["region"] == metric.region)]
                assert len(rows) == 0 or is_judged(record.cell, metric)
                if is_judged(record.cell, metric):
                    judged[metric.name] = judged.get(metric.name, 0) + 1
                    assert rows["value"].mean() == pytest.approx(metric.value, rel=1e-12, abs=1e-12)
                    assert not rows.duplicated(["image", "annotation"]).any()
                    assert rows["image"].nunique() == metric.n
    assert {"mIoU[1 click]", "visible share", "exposure 100 %", "secret exposure > 0 %"} <= judged.keys()
    assert {
        "leakage[RMSE]",
        "advantage[SSIM]",
        "words read[tiles]",
        "words read[undefended]",
    } <= judged.keys()
    assert {"bytes up", "bytes down"} <= judged.keys()
    assert not any(name.endswith((" p50", ", p90", ", per picture")) or name == "RMSE" for name in judged)
