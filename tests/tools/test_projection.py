"""The projected tables in the documents are those that come out now."""

from pathlib import Path

import pytest

from pedbench.latency.devices import find_device
from pedbench.network.links import find_link
from tools.studies.projection import (
    KEPT,
    REPLIES,
    REPORTED,
    SERVER,
    devices,
    paper,
    seconds,
    slowest,
    split,
    symmetric_link,
    whole,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "measured" / "projection.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", [devices, paper])
def test_tables_are_up_to_date(block: object) -> None:
    assert callable(block)
    assert block() in DOCUMENT


def test_what_is_said_to_explain_the_reported_time_does() -> None:
    for reply, alike, apart in zip(REPLIES, (33.6, 17.6), (100, 52.3), strict=True):
        assert seconds(split(3, reply), symmetric_link(alike)) == pytest.approx(REPORTED, rel=0.01)
        assert seconds(split(3, reply), symmetric_link(apart), slower=slowest()) == pytest.approx(
            REPORTED, rel=0.01
        )
    assert max(len(windows) for _, windows in split(3, "float32")) == 9
    assert find_device(SERVER).window_rate > 130e9


def test_a_split_of_vit_h_is_the_sum_of_its_parts() -> None:
    gigabit, sent = find_link("gigabit"), [message for message, _ in split(3, "float32")]
    # A window of pixels is 150.5 kB, one of tokens 1.0 MB.
    assert sum(message.bytes_up for message in sent) == pytest.approx(25 * 150_528, rel=1e-3)
    bytes_down = sum(message.bytes_down for message in sent)
    assert bytes_down == pytest.approx(25 * 14 * 14 * 1280 * 4, rel=1e-3)
    # The edge's global blocks take 2.97 s, the replies cross the link one after another.
    assert seconds(split(3, "float32"), gigabit) > 2.97 + bytes_down * 8 / 1e9
    assert seconds(KEPT, gigabit) == pytest.approx(17.7)
    assert seconds(whole("float16"), gigabit) < 1
