from dataclasses import replace

import pytest

from pedbench.latency.advice.options import Offer
from pedbench.latency.advice.recommend import advise, recommended_split
from pedbench.latency.advice.traffic import NO_TRAFFIC, Traffic
from pedbench.offload.passes.timing import PassTimes


def offer(defense: str, servers: int, seconds: float, share: float) -> Offer:
    traffic: Traffic = replace(NO_TRAFFIC, defense=defense, parts=((),) * servers, share=share)
    return Offer(traffic=traffic, times=PassTimes(prepare=0, uplink=0, server=0, downlink=0, edge=seconds))


KEPT, WHOLE = offer("on_device", 0, 17.7, 0), offer("full_offload", 1, 0.5, 1)
SPLITS = [
    offer("ped_sam", *each) for each in [(1, 3.0, 1.0), (3, 3.1, 0.36), (9, 3.3, 0.12), (25, 4.0, 0.05)]
]


def test_of_splits_about_as_fast_the_one_that_shows_least() -> None:
    # 3.3 s are within a tenth of 3.1 s, 4.0 s are not; one server is no split.
    assert recommended_split(SPLITS).servers == 9


def test_advice_says_what_each_way_shows() -> None:
    said = advise([WHOLE, *SPLITS, KEPT])
    assert said.startswith(
        "Take ped_sam with 9 servers: it is projected to take 3.30 s, and no server alone sees more than 12"
    )
    assert "full_offload would take 500.0 ms and show its server the whole frame" in said
    assert "all of them together see all of it" in said


def test_a_fast_device_keeps_its_frame() -> None:
    said = advise([WHOLE, offer("on_device", 0, 3.2, 0), *SPLITS])
    assert said.startswith("Keep the frame: on_device is projected to take 3.20 s and shows nobody anything")


def test_advice_needs_a_split() -> None:
    with pytest.raises(ValueError, match="splits the frame"):
        advise([WHOLE, KEPT, SPLITS[0]])
