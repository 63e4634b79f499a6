"""Attacks that import torch are forked from a process that has it, all others from one that has not."""

from pathlib import Path

import pytest

from pedbench.adversary.isolation.pool import AttackPool
from tests.adversary.cheating_attack import cheat

IMPORTED = "imported = 'torch' in sys.modules"


@pytest.mark.parametrize(
    "importing",
    [
        "import torch",
        # What an attack tries and does without is no reason to do it without.
        "try: import torch\n        except Exception: guess[:] = 0.25; return guess",
    ],
)
def test_torch_is_imported_once_for_all_jobs_of_an_attack_that_uses_it(
    tmp_path: Path, view: bytes, importing: str
) -> None:
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    uses = cheat(tmp_path / "with", "", f"{IMPORTED}\n        {importing}\n        guess[:] = imported")
    does_not = cheat(tmp_path / "without", "", f"{IMPORTED}\n        guess[:] = imported")
    with AttackPool([uses, does_not]) as pool:
        pool.guess(uses, [view], [0])
        assert pool.guess(uses, [view], [0]).pictures[0].min() == 1
        assert pool.guess(does_not, [view], [0]).pictures[0].max() == 0
        assert pool._zygote(torch=True).process.pid != pool._zygote().process.pid
