"""The projected tables in the documents are those that come out now."""

from pathlib import Path

import pytest

from pedbench.latency.devices import find_device
from tools.studies.projection import (
    REPLIES,
    REPORTED,
    SERVER,
    devices,
    link_of,
    paper,
    seconds,
    slowest,
    split,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "guide" / "latency.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", [devices, paper])
def test_tables_are_up_to_date(block: object) -> None:
    assert callable(block)
    assert block() in DOCUMENT


def test_what_is_said_to_explain_the_reported_time_does() -> None:
    for reply, alike, apart in zip(REPLIES, (33.6, 17.6), (100, 52.3), strict=True):
        assert seconds(split(3, reply), link_of(alike)) == pytest.approx(REPORTED, rel=0.01)
        assert seconds(split(3, reply), link_of(apart), slower=slowest()) == pytest.approx(REPORTED, rel=0.01)
    assert max(map(len, split(3, "float32").parts)) == 9
    assert find_device(SERVER).window_rate > 130e9
