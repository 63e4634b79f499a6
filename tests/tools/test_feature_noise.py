"""The table of attacks on split inference with and without learned noise."""

from __future__ import annotations

import pandas as pd
import pytest

from tools.studies.feature_noise import block
from tools.studies.split_inference import COLUMNS

UTILITIES = pd.DataFrame(
    [
        {"defense": "on_device", "metric": "mIoU[1]", "region": "all", "value": 0.8},
        {"defense": "feature_noise", "metric": "mIoU[1]", "region": "ML", "value": 0.7},
        {
            "defense": "feature_noise",
            "metric": "mIoU[1]",
            "region": "all",
            "value": 0.6,
            "low": 0.5,
            "high": 0.65,
            "retention": 0.75,
            "retention_low": 0.7,
            "retention_high": 0.8,
        },
    ]
)


def _frame(*leakage: float) -> pd.DataFrame:
    rows = [("abc"[place], column, value) for place, value in enumerate(leakage) for column in COLUMNS]
    return pd.DataFrame(rows, columns=["image", "metric", "value"]).assign(annotation=-1, region="whole")


def test_it_states_what_is_kept_and_what_is_learned() -> None:
    found = {
        ("split_blocks", "split_decoder"): _frame(0.9, 0.8, 0.7),
        ("feature_noise", "feature_decoder"): _frame(0.2, 0.6),
    }
    sentence, *lines = block(UTILITIES, found).splitlines()
    assert "mIoU of 0.600 [0.500, 0.650], a retention of 0.750 [0.700, 0.800]. 3 pictures" in sentence
    assert [line.count("0.800 [0.700, 0.900]") for line in lines if "split_blocks" in line] == [3]
    assert [line.count("0.400 [0.200, 0.600]") for line in lines if "feature_decoder" in line] == [3]


def test_runs_without_the_defense_or_without_attacks_are_refused() -> None:
    with pytest.raises(ValueError, match="one-click mIoU of feature_noise and with attacks"):
        block(UTILITIES, {})
    with pytest.raises(ValueError, match="one-click mIoU of feature_noise and with attacks"):
        block(UTILITIES[:1], {("split_blocks", "split_decoder"): _frame(0.9)})
