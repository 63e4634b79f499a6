"""Servers that lie: replies that are always refused, lies that spot checks find, and how often they find them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import (
    LOSSY_TOLERANCE,
    TOLERANCE,
    IntegrityError,
    SpotChecks,
    detection,
    deviation,
)
from pedbench.offload.passes.calls import OnLost, PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import Answer, WireError, decode_answer, encode_answer
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

W = "reordered"


@pytest.fixture(scope="module")
def liars(networks: FamilyNetworks) -> Iterator[VirtualServers]:
    with VirtualServers(3, networks) as servers:
        yield servers


@pytest.fixture
def run(liars: VirtualServers, networks: FamilyNetworks, wide: Picture) -> Any:
    """Return a function that runs a pass with liars, which can replay their replies to another picture."""

    def under(lies: Lies, checks: int, on_lost: OnLost = "edge", seed: int = 0, **parameters: Any) -> Pass:
        rng = np.random.default_rng(0)
        defense = PedSam(weights=W, **parameters)
        if lies.lie == "replay":
            recorder = Lies()
            run_pass(defense, wide[::-1].copy(), liars, networks, rng, PassSettings(lies=recorder))
            lies.earlier = recorder.returned
        spot_checks = SpotChecks(count=checks, rng=np.random.default_rng(seed))
        return run_pass(
            defense,
            wide,
            liars,
            networks,
            rng,
            PassSettings(deadline=30.0, on_lost=on_lost, spot_checks=spot_checks, lies=lies),
        )

    return under


@pytest.mark.slow
@pytest.mark.parametrize("lie", ["noise", "replay", "perturbed"])
@pytest.mark.parametrize(
    "parameters", [{}, {"chunk": 2, "reply": "bfloat16", "payload": "tokens32"}], ids=str
)
def test_checking_all_windows_finds_and_repairs_every_lie(
    lie: Any, parameters: dict[str, Any], run: Any
) -> None:
    strength = 2 * TOLERANCE if not parameters else 2 * LOSSY_TOLERANCE
    honest = run(Lies(), 99, **parameters)
    assert not honest.lost
    lies = Lies(liars=2, lie=lie, strength=strength)
    unchecked = run(lies, 0, **parameters)
    assert not unchecked.lost
    assert not unchecked.embedding.features.equal(honest.embedding.features)
    assert lies.servers == {0, 1}
    # A replayed window can be correct, e.g. an empty wall.
    assert 0 < len(lies.wrong) <= sum(len(lies.returned[server]) for server in lies.servers)
    done = run(Lies(liars=2, lie=lie, strength=strength), 99, **parameters)
    assert list(done.lost) == [0, 1]
    assert "tokens of window" in done.lost[0]
    if not parameters:
        # The edge computes the same bits as honest servers.
        assert done.embedding.features.equal(honest.embedding.features)
        with pytest.raises(
            IntegrityError, match=r"server 0 returned tokens of window \(\d, \d\) that deviate"
        ):
            run(Lies(liars=1, lie=lie, strength=strength), 99, "fail")


@pytest.mark.parametrize("reply", ["float32", "bfloat16", "quantised(bits=6)"])
def test_nan_is_refused_without_checks(reply: str, run: Any) -> None:
    done = run(Lies(liars=1, lie="nan", windows=1), 0, reply=reply)
    assert list(done.lost) == [0]
    assert ("not finite" if reply == "float32" else "uses the codec ''") in done.lost[0]


def test_too_few_tokens_are_refused_without_checks(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lies, "_false_tokens", lambda self, server, call, tokens, *_: tokens)
    monkeypatch.setattr("pedbench.offload.integrity.dishonest_replies.encode_answer", _without_the_first)
    done = run(Lies(liars=1), 0)
    assert "returned tokens of shape" in done.lost[0]


def _without_the_first(answer: Answer) -> bytes:
    return encode_answer(replace(answer, payload={"tokens": answer.payload["tokens"][1:]}))


def test_lies_are_reproducible_and_independent_of_the_order_of_replies(run: Any) -> None:
    first, second, other = (
        run(Lies(liars=2, seed=seed), 0, chunk=1).embedding.features for seed in (1, 1, 2)
    )
    assert first.equal(second)
    assert not first.equal(other)


def test_the_first_servers_that_hold_windows_lie() -> None:
    lies = Lies(liars=2)
    lies.begin({3: ((0, 1),), 1: (), 2: ((0, 0), (1, 1)), 0: ((1, 0),)})
    assert lies.servers == {0, 2}
    assert lies.assigned == 4


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
def test_honest_servers_always_pass_spot_checks(parameters: dict[str, Any], run: Any) -> None:
    assert not run(Lies(), 99, "fail", **parameters).lost


@pytest.mark.slow
def test_fewer_checks_find_as_many_as_they_should(run: Any) -> None:
    found = [bool(run(Lies(liars=1, windows=2, seed=seed), 5, seed=seed).lost) for seed in range(20)]
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
