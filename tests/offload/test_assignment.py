from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pedbench.offload.passes.assignment import POLICIES, assign, neighbours, spread_home
from pedbench.types import Assignment, Window


def grid(rows: int, columns: int) -> list[Window]:
    return list(product(range(rows), range(columns)))


def touching(assignment: Assignment) -> tuple[int, int]:
    """Count pairs with a common side, and pairs with a common corner, from the windows' distances."""
    pairs = [pair for windows in assignment.values() for pair in combinations(windows, 2)]
    distances = [np.linalg.norm(np.subtract(*pair)) for pair in pairs]
    return sum(bool(d == 1) for d in distances), sum(bool(1 < d < 2) for d in distances)


@given(
    policy=st.sampled_from(sorted(POLICIES)),
    windows=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1),
    servers=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_every_window_is_assigned_once(policy: str, windows: set[Window], servers: int, seed: int) -> None:
    assignment = assign(policy, list(windows), servers, np.random.default_rng(seed))
    assert sorted(window for part in assignment.values() for window in part) == sorted(windows)
    assert all(0 <= server < servers and part for server, part in assignment.items())
    assert neighbours(assignment) == touching(assignment)
    if policy != "dispersed":
        sizes = [len(assignment.get(server, ())) for server in range(servers)]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("size", [(5, 5), (4, 5)])
@pytest.mark.parametrize("servers", range(4, 26))
def test_dispersed_separates_all_neighbours(size: tuple[int, int], servers: int) -> None:
    assignment = assign("dispersed", grid(*size), servers, np.random.default_rng(0))
    assert touching(assignment) == (0, 0)
    # Four servers cannot have even shares: a 2x2 block holds all, so they alternate by row or column.
    even = -(-size[0] * size[1] // servers)
    assert max(map(len, assignment.values())) <= even + (servers == 4)


@pytest.mark.slow
@pytest.mark.parametrize("servers", [2, 3])
def test_dispersed_is_the_best_of_all_on_a_small_grid(servers: int) -> None:
    windows = grid(3, 3)

    def gather(owners: tuple[int, ...]) -> Assignment:
        return {s: tuple(w for w, o in zip(windows, owners, strict=True) if o == s) for s in range(servers)}

    best = min(touching(gather(owners)) for owners in product(range(servers), repeat=9))
    assert touching(assign("dispersed", windows, servers, np.random.default_rng(0))) == best


def test_contiguous_takes_runs_and_round_robin_deals() -> None:
    windows = grid(2, 3)
    rng = np.random.default_rng(0)
    assert assign("contiguous", windows, 2, rng) == {0: tuple(windows[:3]), 1: tuple(windows[3:])}
    assert assign("round_robin", windows, 4, rng)[1] == ((0, 1), (1, 2))


def test_random_follows_its_generator() -> None:
    first, second, other = (
        assign("random", grid(5, 5), 3, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == second != other


@given(
    policy=st.sampled_from(sorted(POLICIES)),
    windows=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1),
    servers=st.integers(1, 40),
    share=st.floats(0, 1),
)
def test_windows_at_home_are_left_out_and_move_no_other(
    policy: str, windows: set[Window], servers: int, share: float
) -> None:
    home = spread_home(windows, share)
    assert len(home) == round(share * len(windows))
    assert set(spread_home(windows, share / 2)) <= set(home)
    everything = assign(policy, list(windows), servers, np.random.default_rng(0))
    leaving = assign(policy, list(windows), servers, np.random.default_rng(0), home)
    assert all(leaving.values())
    for server, part in everything.items():
        assert set(leaving.get(server, ())) == set(part) - set(home)


@pytest.mark.parametrize("size", [(5, 5), (4, 5), (14, 14)])
def test_a_fifth_of_the_windows_at_home_do_not_touch(size: tuple[int, int]) -> None:
    assert touching({0: spread_home(grid(*size), 0.2)}) == (0, 0)


def test_bad_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="did you mean 'dispersed'"):
        assign("disperse", grid(2, 2), 2, rng)
    with pytest.raises(ValueError, match="0 servers"):
        assign("random", grid(2, 2), 0, rng)
    with pytest.raises(ValueError, match="twice"):
        assign("random", [(0, 0), (0, 0)], 2, rng)
