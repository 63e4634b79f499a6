"""Faults at moments that are drawn: whatever fails, no window goes astray and no wrong result comes out."""

from __future__ import annotations

import pytest

from tools.chaos.__main__ import try_passes, try_runs
from tools.chaos.passes import KINDS


@pytest.mark.long
def test_passes_with_faults_fail_closed() -> None:
    tallies = try_passes(54, seed=1)
    assert not [each for tally in tallies for each in tally.bad]
    assert {tally.fault for tally in tallies} == set(KINDS)
    assert (
        sum(tally.tries for tally in tallies) == sum(tally.survived + tally.closed for tally in tallies) == 54
    )
    assert 0 < sum(tally.survived for tally in tallies) < 54
    assert max(tally.overdue or 0 for tally in tallies) < 5


@pytest.mark.long
def test_runs_in_trouble_lose_nothing() -> None:
    tallies = try_runs(1, seed=1)
    assert not [each for tally in tallies for each in tally.bad]
    assert [tally.survived + tally.closed for tally in tallies] == [1] * 6
