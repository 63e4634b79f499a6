"""From values about claims to a record's metrics, against what comes out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from pedbench.results.claim_summary import claim_metrics, mistrusted


def values(measure: str) -> pd.DataFrame:
    """Three secrets of one picture: two are found in the picture itself, one of these by a server."""
    return pd.DataFrame(
        {
            "image": "a",
            "annotation": [0, 1, 2] * 2,
            "servers": [""] * 3 + ["0"] * 3,
            "value": [1.0, 1.0, 0.0, 0.0, 1.0, 0.0],
            "metric": [f"{measure}[undefended]"] * 3 + [f"{measure}[tiles]"] * 3,
        }
    )


# The second is a measure of runs of earlier versions, whose records are still recomputed.
@pytest.mark.parametrize("measure", ["objects found", "categories named"])
def test_what_is_found_relates_to_the_picture_itself(measure: str) -> None:
    found = {(each.name, each.region): each for each in claim_metrics(values(measure))}
    assert found[f"{measure}[tiles]", "planted"].value == pytest.approx(1 / 3)
    assert found[f"{measure}[tiles]", "relative"].value == pytest.approx(1 / 2)
    assert {each.better for each in found.values()} == {"lower"}


def test_errors_are_no_share_of_anything() -> None:
    found = claim_metrics(values("character error rate"))
    assert {each.region for each in found} == {"planted"}
    assert {each.better for each in found} == {"higher"}


def test_a_probe_that_misses_too_much_is_mistrusted() -> None:
    assert mistrusted(values("words read")).startswith(
        "finds 0.67 of 3 planted secrets in the undefended pictures"
    )
    assert mistrusted(values("words read").assign(value=1.0)) == ""
