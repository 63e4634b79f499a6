"""Tables of attacks on split inference."""

from __future__ import annotations

import pandas as pd
import pytest

from tools.studies.split_inference import COLUMNS, tables


def _frame(*leakage: float) -> pd.DataFrame:
    """Return values of pictures a, b, ... that are the same in all columns."""
    rows = [("abc"[place], column, value) for place, value in enumerate(leakage) for column in COLUMNS]
    return pd.DataFrame(rows, columns=["image", "metric", "value"]).assign(annotation=-1, region="whole")


def test_attacks_are_compared_picture_by_picture() -> None:
    found = {
        (6, "token_inversion"): _frame(0.2, 0.6, 0.7),
        (6, "split_decoder"): _frame(0.3, 0.7, 0.8),
        (2, "split_decoder"): _frame(0.9, 0.9, 0.9),
    }
    leakage, apart = tables(found).split("Differences")
    assert leakage.startswith("3 pictures")
    assert leakage.count("0.600 [0.300, 0.800]") == leakage.count("0.500 [0.200, 0.700]") == 3
    assert leakage.index("0.900") < leakage.index("0.500")
    # Every picture's difference is the same, whatever the spread of the pictures; without a reference there is none.
    (line,) = (line for line in apart.splitlines() if line.startswith("| 6 "))
    assert line.count("0.100 [0.100, 0.100]") == 3
    assert "| 2 " not in apart


def test_runs_without_attacks_on_split_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="expected runs with attacks on split_blocks"):
        tables({})


def test_attacks_on_different_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="same pictures"):
        tables({(2, "token_inversion"): _frame(0.2, 0.6), (2, "split_decoder"): _frame(0.9)})
