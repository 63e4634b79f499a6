"""Readers of foreign bytes end in a value or one sentence, whatever the bytes are; `make fuzz` tries many more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.cases import spoilt
from tests.fuzz.targets import TARGETS

CASES = 250


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes_end_in_a_value_or_a_sentence(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(spoilt(target))
    def hold(data: bytes) -> None:
        target.hold(data)

    for seed in target.seeds:
        target.hold(seed)
    hold()
