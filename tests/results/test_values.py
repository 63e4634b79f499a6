"""Values of cells on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.results.values import read_columns, read_values, remove_values, write_values


def test_values_come_back_as_they_were(tmp_path: Path) -> None:
    first = pd.DataFrame({"image": ["a", "b"], "metric": "rmse", "value": [0.1, 1 / 3], "region": "hidden"})
    second = pd.DataFrame(
        {"image": ["c"], "metric": "IoU", "value": [1.0], "annotation": [900100000000], "tag": "S"}
    )
    write_values(tmp_path, "0123", 0, first)
    for _ in range(2):
        write_values(tmp_path, "0123", 1, second)
    write_values(tmp_path, "4567", 0, second)
    read = read_values(tmp_path, "0123")
    assert read["value"].tolist() == [0.1, 1 / 3, 1.0]
    assert read["annotation"].tolist() == [-1, -1, 900100000000]
    assert read["tag"].tolist() == ["", "", "S"]
    assert not list(tmp_path.rglob("*.partial"))
    remove_values(tmp_path, "0123")
    assert read_values(tmp_path, "0123").empty
    assert len(read_values(tmp_path, "4567")) == 1


def test_values_without_pyarrow_are_lines_that_read_like_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: dict[str, list[Any]] = {
        "image": ["a", "b"],
        "metric": ["wall", "bytes up"],
        "value": [1 / 3, np.int64(7)],
    }
    write_values(tmp_path, "0123", 0, values)
    write_values(tmp_path, "4567", 0, values)
    with monkeypatch.context() as patch:
        patch.setattr("pedbench.results.values.find_spec", lambda _: None)
        path = write_values(tmp_path, "4567", 0, values)
    assert [file.name for file in path.parent.glob("4567*")] == ["4567-0000.jsonl"]
    pd.testing.assert_frame_equal(read_values(tmp_path, "4567"), read_values(tmp_path, "0123"))
    assert read_columns(tmp_path, "4567") == read_columns(tmp_path, "0123")
    whole = path.read_text()
    for line in ("[]", "{}", "1", "{", whole.replace("7.0", "7"), whole.replace("-1", f"{2**63}")):
        path.write_text(whole + line)
        with pytest.raises(ValueError, match=r"4567-0000.jsonl: line \d is no row of image, annotation"):
            read_values(tmp_path, "4567")
    remove_values(tmp_path, "4567")
    assert not path.exists()


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("value", np.nan, "1 rows are not finite numbers, first rmse of image b"),
        ("value", np.inf, "not finite"),
        ("region", None, "not finite"),
        ("colour", "red", r"unknown: \['colour'\]"),
    ],
)
def test_gaps_in_values_are_refused(tmp_path: Path, column: str, value: object, sentence: str) -> None:
    values = pd.DataFrame({"image": ["a", "b"], "metric": "rmse", "value": [0.1, 0.2]})
    values[column] = pd.Series([0.1 if column == "value" else "x", value])
    with pytest.raises(ValueError, match=sentence):
        write_values(tmp_path, "0123", 0, values)
    with pytest.raises(ValueError, match=r"missing: \['image', 'metric'\]"):
        write_values(tmp_path, "0123", 0, values[["value"]])
