"""Attacks that answer wrongly, twice, late or never: the failure is theirs alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.asking import DEADLINE
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.checks import broken_rules
from pedbench.registry import Registry
from tests.adversary.cheating_attack import cheat

ANSWER = {
    "not a number": ("np.nan", 1, "not finite"),
    "too bright": ("1e6", 1, "values from"),
    "twice": ("0.5", 2, "more than it was asked"),
    "nothing": ("0.5", 0, "ended without an answer"),
}


@pytest.mark.parametrize("way", ANSWER)
def test_an_answer_past_the_checks_is_that_attacks_failure(tmp_path: Path, view: bytes, way: str) -> None:
    value, times, found = ANSWER[way]
    body = (
        "to = next(Connection(fd) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')"
        " and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
        f"        for _ in range({times}):\n"
        "            to.send_bytes(json.dumps({'seconds': 0.0}).encode())\n"
        f"            to.send_bytes(np.full((8, 12, 3), {value}, np.float32).tobytes())\n"
        "        os._exit(17)"
    )
    spec, honest = cheat(tmp_path, "", body), Registry().spec("attacks", "mean_colour", {})
    with AttackPool([spec, honest]) as pool:
        with pytest.raises(AttackFailure, match=found):
            pool.guess(spec, [view], [0])
        assert pool.guess(honest, [view], [0]).pictures[0].shape == (8, 12, 3)


@pytest.mark.parametrize(
    "words", ["b'no json'", "b'[]'", "b'{\"seconds\": -1.0}'", "b'[' * 500000", "b'{' * 2000000"]
)
def test_words_that_are_no_answer_are_that_attacks_failure(tmp_path: Path, view: bytes, words: str) -> None:
    body = (
        "to = next(Connection(fd) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')"
        " and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
        f"        to.send_bytes({words}); os._exit(17)"
    )
    spec = cheat(tmp_path, "", body)
    with AttackPool([spec]) as pool, pytest.raises(AttackFailure, match="BrokenAnswer"):
        pool.guess(spec, [view], [0])


@pytest.mark.slow
def test_an_attack_that_falls_silent_is_given_up_by_its_own_history(
    tmp_path: Path, view: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = cheat(tmp_path, "", "pass")
    with AttackPool([spec]) as pool:
        assert pool._allowed(spec, 4) == DEADLINE
        pool.guess(spec, [view] * 2, [0, 0])
        assert 60 < pool._allowed(spec, 4) < DEADLINE
        monkeypatch.setattr(pool, "_allowed", lambda *_: 1.0)
        cheat(tmp_path, "", "time.sleep(600)")
        with pytest.raises(AttackFailure, match="AttackOverdue: no answer within 1 s"):
            pool.guess(spec, [view], [0])


def test_an_attack_that_answers_in_place_of_the_checks_is_named(tmp_path: Path) -> None:
    channel = "next(fd for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}'))"
    cheat(tmp_path, "", f"Connection({channel}).send_bytes(b'{{}}'); os._exit(17)")
    (found,) = broken_rules(tmp_path / "cheat.py")
    assert "it answers what it was not asked" in found


@pytest.mark.slow
def test_an_attack_that_computes_longer_than_ever_has_until_the_deadline(
    tmp_path: Path, view: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = "end = time.thread_time() + {}\n        while time.thread_time() < end: pass"
    spec = cheat(tmp_path, "", busy.format(0.5))
    with AttackPool([spec], deadline=4.0) as pool:
        monkeypatch.setattr(pool, "_allowed", lambda *_: 0.2)
        assert len(pool.guess(spec, [view], [0]).pictures) == 1
        cheat(tmp_path, "", busy.format(600))
        with pytest.raises(AttackFailure, match="AttackOverdue: no answer within 4 s"):
            pool.guess(spec, [view], [0])
