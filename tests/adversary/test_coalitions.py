"""Which coalitions are evaluated, against the laws that a search for the worst has to keep."""

from itertools import combinations, pairwise
from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pedbench.adversary.coalitions import Holdings, holdings, search
from pedbench.offload.operations.observation import Observation
from pedbench.types import MOST_COALITIONS, Patch, Picture, Received

SIDE = 30

GREY = np.full(3, 0.5, np.float32)


def shared_out(servers: int, seed: int, silent: int = 0) -> tuple[Holdings, Picture]:
    """Give every pixel to one of some servers; further servers receive nothing."""
    generator = np.random.default_rng(seed)
    owners = generator.integers(servers, size=(SIDE, SIDE))
    covered = owners == np.arange(servers + silent)[:, None, None]
    digests = tuple(f"{value:016x}" for value in generator.integers(2**62, size=servers)) + ("",) * silent
    return Holdings(covered=covered, digests=digests), generator.random((SIDE, SIDE, 3)).astype(np.float32)


def error(contents: Holdings, truth: Picture, coalition: tuple[int, ...]) -> float:
    """Squared error of grey in what a coalition lacks, pixel by pixel."""
    known = contents.covered[list(coalition)].any(axis=0)
    return float(np.square(truth[~known] - GREY, dtype=np.float64).sum())


@pytest.mark.parametrize("servers", [1, 3, 5, 8, 11, 12, 25])
def test_every_coalition_has_a_superset_at_the_next_size(servers: int) -> None:
    contents, truth = shared_out(servers, seed=servers)
    sizes = [search(contents, truth, GREY, c) for c in range(1, servers + 1)]
    for c, (smaller, larger) in enumerate(pairwise(sizes), start=1):
        for coalition in smaller:
            assert any({*coalition} <= {*other} for other in larger), (c, coalition)
    for c, found in enumerate(sizes, start=1):
        assert len(found) == len({*found})
        assert len(found) >= min(MOST_COALITIONS, comb(servers, c)), (c, len(found))
        if comb(servers, c) <= MOST_COALITIONS:
            assert {*found} == {*combinations(range(servers), c)}


@settings(max_examples=20)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 2**20))
def test_renumbering_servers_renames_coalitions_and_no_more(servers: int, c: int, seed: int) -> None:
    contents, truth = shared_out(servers, seed)
    order = np.random.default_rng(seed + 1).permutation(servers)
    renumbered = Holdings(
        covered=contents.covered[order], digests=tuple(contents.digests[old] for old in order.tolist())
    )
    expected = search(contents, truth, GREY, c)
    found = search(renumbered, truth, GREY, c)
    assert [tuple(sorted(order[list(coalition)].tolist())) for coalition in found] == [*expected]


def test_each_of_many_servers_is_evaluated() -> None:
    contents, truth = shared_out(70, seed=0)
    assert sorted(search(contents, truth, GREY, 1)) == [(server,) for server in range(70)]


def test_servers_that_received_nothing_are_left_out() -> None:
    contents, truth = shared_out(4, seed=1, silent=21)
    assert {*search(contents, truth, GREY, 2)} == {*combinations(range(4), 2)}
    assert search(contents, truth, GREY, 9) == ((0, 1, 2, 3),)
    nobody = Holdings(covered=np.zeros((3, SIDE, SIDE), np.bool_), digests=("", "", ""))
    assert search(nobody, truth, GREY, 2) == ((0,),)
    assert search(Holdings(covered=np.zeros((0, 1, 1), np.bool_), digests=()), truth, GREY, 1) == ((),)
    with pytest.raises(ValueError, match="c=0"):
        search(contents, truth, GREY, 0)


def test_a_cap_keeps_what_does_most_damage() -> None:
    contents, truth = shared_out(7, seed=2)
    every = sorted(combinations(range(7), 2), key=lambda coalition: error(contents, truth, coalition))
    assert search(contents, truth, GREY, 2, most=5) == tuple(every[:5])


@pytest.mark.parametrize("c", [2, 3])
def test_a_search_finds_the_coalitions_that_do_most_damage(c: int) -> None:
    contents, truth = shared_out(20, seed=3)
    every = sorted(combinations(range(20), c), key=lambda coalition: error(contents, truth, coalition))
    assert {*every[:5]} <= {*search(contents, truth, GREY, c)}


@pytest.mark.parametrize(("servers", "contents_of", "c"), [(12, 1, 3), (12, 1, 6), (25, 1, 9), (25, 2, 3)])
def test_a_search_ends_where_servers_hold_the_same(servers: int, contents_of: int, c: int) -> None:
    covered = np.zeros((servers, SIDE, SIDE), np.bool_)
    for server in range(servers):
        covered[server, server % contents_of :: contents_of] = True
    digests = tuple(f"{server % contents_of}" for server in range(servers))
    truth = np.random.default_rng(0).random((SIDE, SIDE, 3)).astype(np.float32)
    found = search(Holdings(covered=covered, digests=digests), truth, GREY, c)
    assert len({*found}) == len(found) >= MOST_COALITIONS


def test_the_largest_content_is_searched_even_if_it_is_flat() -> None:
    contents, truth = shared_out(25, seed=5)
    truth[contents.covered[:6].any(axis=0)] = GREY
    sizes = contents.covered.sum(axis=(1, 2))
    largest = tuple(sorted(np.argsort(-sizes, kind="stable")[:4].tolist()))
    most = max(contents.covered[list(each)].sum() for each in search(contents, truth, GREY, 4))
    assert most == contents.covered[list(largest)].sum()


def message(server: int) -> Received:
    return Received(
        server=server,
        operation="o",
        request=0,
        sequence=0,
        payload={},
        arguments={},
        unexplained="",
        bytes_in=1,
        bytes_out=1,
        received=0.0,
    )


def test_digests_follow_places_and_where_these_agree_content() -> None:
    generator = np.random.default_rng(0)

    def seen(server: int, top: int, picture: npt.NDArray[np.float32]) -> Observation:
        patch = Patch(picture=picture, top=top, left=0, server=server)
        return Observation(message=message(server), patches=(patch,))

    one, other = (generator.random((2, 2, 3)).astype(np.float32) for _ in range(2))
    truth = generator.random((8, 8, 3)).astype(np.float32)
    covered = np.zeros((4, 8, 8), np.bool_)
    found = holdings([seen(0, 0, one), seen(1, 0, other), seen(2, 4, one)], truth, covered)
    second = holdings(
        [seen(2, 0, one), seen(0, 0, other), seen(1, 4, (one / 2).astype(np.float32))], truth, covered
    )
    assert found.digests[3] == "" == second.digests[3]
    assert found.digests[:3] == (second.digests[2], second.digests[0], second.digests[1])
    assert len({*found.digests}) == 4
