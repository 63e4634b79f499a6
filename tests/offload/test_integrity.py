"""Servers that lie: what is always refused, what spot checks find, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from docs.lying import LyingNetworks, Orders
from pedbench.models.family import MINI, FamilyNetworks
from pedbench.offload.cloud import OnLost
from pedbench.offload.integrity import (
    LOSSY_TOLERANCE,
    TOLERANCE,
    IntegrityError,
    SpotChecks,
    detection,
    deviation,
)
from pedbench.offload.passes import Pass, run_pass
from pedbench.offload.virtual import VirtualServers
from pedbench.offload.wire import Answer, WireError, decode_answer, encode_answer
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

W = "reordered"


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> LyingNetworks:
    file = tmp_path_factory.mktemp("orders") / "orders.json"
    return LyingNetworks(family=MINI, random_seed=0, file=file)


@pytest.fixture(scope="module")
def liars(lying: LyingNetworks) -> Iterator[VirtualServers]:
    lying.order(Orders())
    with VirtualServers(3, lying) as servers:
        yield servers


@pytest.fixture
def run(
    lying: LyingNetworks, liars: VirtualServers, networks: FamilyNetworks, wide: Picture
) -> Iterator[Any]:
    """Runs a pass under orders, after an honest one over another picture."""

    def under(
        orders: Orders, checks: int, on_lost: OnLost = "edge", seed: int = 0, **parameters: Any
    ) -> Pass:
        lying.order(Orders())
        rng = np.random.default_rng(0)
        defense = PedSam(weights=W, **parameters)
        run_pass(defense, wide[::-1].copy(), liars, networks, rng)
        lying.order(orders)
        spot_checks = SpotChecks(count=checks, rng=np.random.default_rng(seed))
        return run_pass(
            defense, wide, liars, networks, rng, deadline=30.0, on_lost=on_lost, spot_checks=spot_checks
        )

    yield under
    liars.restart_lost()


@pytest.mark.parametrize("lie", ["noise", "replay", "perturbed"])
def test_what_all_windows_show_is_found_and_made_good(lie: str, run: Any) -> None:
    honest = run(Orders(), 99)
    assert not honest.lost
    told = Orders(liars=(1,), lie=lie, strength=2 * TOLERANCE)
    believed = run(told, 0)
    assert not believed.lost
    assert not believed.embedding.features.equal(honest.embedding.features)
    done = run(told, 99)
    assert list(done.lost) == [1]
    assert "tokens of window" in done.lost[1]
    torch.testing.assert_close(done.embedding.features, honest.embedding.features)
    with pytest.raises(IntegrityError, match=r"server 1 returned tokens of window \(\d, \d\) that deviate"):
        run(told, 99, "fail")


@pytest.mark.parametrize(
    ("lie", "reason"), [("infinite", "not finite"), ("short", "returned tokens of shape")]
)
def test_what_cannot_be_tokens_is_refused_without_checks(lie: str, reason: str, run: Any) -> None:
    done = run(Orders(liars=(0,), lie=lie, windows=1), 0)
    assert list(done.lost) == [0]
    assert reason in done.lost[0]


@pytest.mark.parametrize(
    "parameters",
    [
        {"payload": "tokens16", "reply": "float16"},
        {"payload": "jpeg(quality=50)", "chunk": 2},
        {"payload": "webp(quality=50)", "reply": "quantised(bits=2)"},
        {"reply": "bfloat16", "assignment": "random"},
    ],
    ids=str,
)
def test_honest_servers_are_never_taken_for_liars(parameters: dict[str, Any], run: Any) -> None:
    assert not run(Orders(), 99, "fail", **parameters).lost


def test_fewer_checks_find_as_many_as_they_should(run: Any) -> None:
    told = Orders(liars=(2,), lie="replay", windows=2)
    found = [bool(run(told, 5, seed=seed).lost) for seed in range(20)]
    # Two of twenty windows are wrong: 0.447 is expected, and 2 to 16 of 20 in all but a thousandth of such tests.
    assert 2 <= sum(found) <= 16


def test_the_probability_is_that_of_all_draws() -> None:
    for windows, wrong, checked in [(6, 2, 3), (5, 0, 2), (4, 4, 1), (3, 1, 9)]:
        draws = list(combinations(range(windows), min(checked, windows)))
        share = sum(any(window < wrong for window in draw) for draw in draws) / len(draws)
        assert detection(windows, wrong, checked) == pytest.approx(share)


def test_draws_are_even_and_not_foreseeable() -> None:
    seen = [SpotChecks(count=1).rng.permutation(20)[0] for _ in range(200)]
    assert len(set(seen)) > 15
    assert LOSSY_TOLERANCE > TOLERANCE


def test_the_worst_token_counts() -> None:
    tokens = torch.ones(4, 4, 9)
    other = tokens.clone()
    other[2, 1, 0] += 3.0
    assert deviation(other, tokens) == pytest.approx(1.0)
    other[0, 0, 0] = float("nan")
    assert not deviation(other, tokens) <= 1e9


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_replies_hold_what_is_finite(value: float, dtype: str) -> None:
    payload: dict[str, Any] = {"x": np.array([1, value], dtype)}
    times = {"error": "", "received": 1.0, "started": 1.0, "finished": 1.0}
    with pytest.raises(WireError, match="not finite"):
        decode_answer(encode_answer(Answer(payload=payload, **times)), {}, "")  # type: ignore[arg-type]
    late = Answer(payload={}, **(times | {"finished": value}))  # type: ignore[arg-type]
    with pytest.raises(WireError, match="a time"):
        decode_answer(encode_answer(late), {}, "")


def test_orders_reach_servers_alone(lying: LyingNetworks, tmp_path: Path) -> None:
    lying.order(Orders(liars=(0, 1, 2)))
    assert lying.told() is None
    lying.order(Orders())
