"""From values to a record's metrics, against pandas by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.results.summary import geometry_metrics, latency_metrics, privacy_metrics, utility_metrics


def by_name(metrics: Any) -> dict[tuple[str, str], Any]:
    found = {(metric.name, metric.region): metric for metric in metrics}
    assert len(found) == len(metrics)
    return found


UTILITY = pd.DataFrame(
    [
        ("a", 1, "IoU[1 click]", 0.9, "L cut"),
        ("a", 2, "IoU[1 click]", 0.1, "S"),
        ("a", 3, "IoU[1 click]", 0.4, "M"),
        ("b", 4, "IoU[1 click]", 0.6, "M cut"),
        ("b", 4, "IoU[box]", 1.0, "M cut"),
    ],
    columns=["image", "annotation", "metric", "value", "tag"],
)


def test_utility_by_size_and_border() -> None:
    found = by_name(utility_metrics(UTILITY))
    expected = {
        ("mIoU[1 click]", "all"): (0.5, 2),
        ("mIoU[1 click]", "S"): (0.1, 1),
        ("mIoU[1 click]", "M"): (0.5, 2),
        ("mIoU[1 click]", "L"): (0.9, 1),
        ("mIoU[1 click]", "ML"): ((0.9 + 0.4 + 0.6) / 3, 2),
        ("mIoU[1 click]", "cut"): (0.75, 2),
        # Over pictures: of (0.9 + 0.1 + 0.4) / 3 and 0.6.
        ("mIoU[1 click], per picture", "all"): ((1.4 / 3 + 0.6) / 2, 2),
        ("mIoU[box]", "all"): (1.0, 1),
        ("mIoU[box]", "M"): (1.0, 1),
        ("mIoU[box]", "ML"): (1.0, 1),
        ("mIoU[box]", "cut"): (1.0, 1),
        ("mIoU[box], per picture", "all"): (1.0, 1),
    }
    assert {key: (metric.value, metric.n) for key, metric in found.items()} == {
        key: (pytest.approx(value), n) for key, (value, n) in expected.items()
    }
    assert {metric.better for metric in found.values()} == {"higher"}


def test_geometry_takes_the_worst_coalition_and_the_largest_server() -> None:
    rows = [("a", "visible share", servers, value, "") for servers, value in (("0", 0.2), ("1", 0.4))]
    rows += [("b", "visible share", servers, value, "") for servers, value in (("0", 0.6), ("1", 0.1))]
    rows += [("a", "content share", "0", 0.5, ""), ("b", "content share", "0", 0.7, "")]
    rows += [
        ("a", "exposure", "", 0.5, "S"),
        ("a", "exposure", "", 0.95, "L"),
        ("b", "exposure", "", 1.0, "M"),
        ("a", "secret exposure", "", 0.0, "text"),
        ("a", "secret exposure", "", 0.01, "text"),
        ("b", "secret exposure", "", 0.9, "text"),
        ("b", "secret exposure", "", 1.0, "face"),
    ]
    values = pd.DataFrame(rows, columns=["image", "metric", "servers", "value", "tag"])
    found = {key: metric.value for key, metric in by_name(geometry_metrics(values)).items()}
    assert found["visible share", ""] == pytest.approx(0.5)
    assert found["content share", ""] == pytest.approx(0.6)
    assert found["exposure >= 50 %", "all"] == 1
    assert found["exposure >= 90 %", "all"] == pytest.approx(2 / 3)
    assert found["exposure 100 %", "all"] == pytest.approx(1 / 3)
    assert found["exposure >= 90 %", "S"] == 0
    assert found["exposure 100 %", "ML"] == pytest.approx(1 / 2)
    of_secrets = {key: value for key, value in found.items() if key[0].startswith("secret")}
    assert of_secrets == {
        ("secret exposure > 0 %", "all"): pytest.approx(3 / 4),
        ("secret exposure > 0 %", "text"): pytest.approx(2 / 3),
        ("secret exposure > 0 %", "face"): 1,
        ("secret exposure >= 50 %", "all"): pytest.approx(1 / 2),
        ("secret exposure >= 50 %", "text"): pytest.approx(1 / 3),
        ("secret exposure >= 50 %", "face"): 1,
        ("secret exposure >= 90 %", "all"): pytest.approx(1 / 2),
        ("secret exposure >= 90 %", "text"): pytest.approx(1 / 3),
        ("secret exposure >= 90 %", "face"): 1,
        ("secret exposure 100 %", "all"): pytest.approx(1 / 4),
        ("secret exposure 100 %", "text"): 0,
        ("secret exposure 100 %", "face"): 1,
    }


def test_privacy_takes_the_worst_coalition_of_each_metric() -> None:
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "image": np.repeat([str(picture) for picture in range(10)], 3),
                "servers": ["0", "1", "2"] * 10,
                "region": region,
                "metric": name,
                "value": rng.random(30),
            }
        )
        for name, region in (("RMSE", "hidden"), ("PSNR", "whole"), ("leakage[RMSE]", "whole"))
    ]
    metrics = {metric.column: metric for metric in (RootMeanSquareError(), PeakSignalNoiseRatio())}
    found = by_name(privacy_metrics(pd.concat(frames), metrics))
    directions = {"RMSE": "higher", "PSNR": metrics["PSNR"].better, "leakage[RMSE]": "lower"}
    for frame in frames:
        name, region = frame["metric"].iloc[0], frame["region"].iloc[0]
        better = directions[name]
        # The defender wants RMSE high, so the attacker's best coalition has the lowest.
        each = frame.groupby("image")["value"].agg("min" if better == "higher" else "max")
        assert found[name, region].value == pytest.approx(each.mean())
        assert found[name, region].better == better
        tail = 10 if better == "higher" else 90
        assert found[f"{name}, p90", region].value == pytest.approx(np.percentile(each, tail))
        extreme = each.min() if better == "higher" else each.max()
        assert found[f"{name}, worst", region].value == pytest.approx(extreme)
        assert found[f"{name}, worst", region].ci95 is None
    assert found["PSNR", "whole"].unit == "dB"


def test_a_new_version_of_a_metric_shows_in_what_derives_from_it() -> None:
    class Newer(RootMeanSquareError):
        version = 7

    values = pd.DataFrame(
        {"image": ["a"], "servers": ["0"], "region": ["whole"], "metric": ["leakage[RMSE]"], "value": [0.5]}
    )
    assert {metric.version for metric in privacy_metrics(values, {"RMSE": Newer()})} == {7}


def test_latency_is_told_by_phase_and_bytes_are_summed() -> None:
    rows = [(str(picture), "wall", "edge", "", 0.1 * picture) for picture in range(1, 12)]
    rows += [("1", "bytes up", "", server, 10.0) for server in ("0", "1", "1")]
    rows += [("2", "bytes up", "", "0", 50.0)]
    values = pd.DataFrame(rows, columns=["image", "metric", "region", "servers", "value"])
    found = by_name(latency_metrics(values))
    assert found["wall p50", "edge"].value == pytest.approx(0.6)
    assert found["wall p90", "edge"].value == pytest.approx(1.0)
    assert found["bytes up", ""].value == pytest.approx((30 + 50) / 2)
    assert (found["bytes up", ""].unit, found["bytes up", ""].n) == ("B", 2)
