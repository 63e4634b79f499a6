"""On a kernel without Landlock the audit hook alone still refuses what Python sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """if True:
    import ctypes, struct, sys
    from pathlib import Path

    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("=HBBI", code, if_true, if_false, value)

    # A filter of system calls, inherited by all processes: 444, landlock_create_ruleset, is not implemented (38).
    number, equal, answer = 0x20, 0x15, 0x06
    program = instruction(number, 0) + instruction(equal, 444, 0, 1)
    program += instruction(answer, 0x00050000 | 38) + instruction(answer, 0x7FFF0000)
    code = ctypes.create_string_buffer(program)
    filter = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    library = ctypes.CDLL(None, use_errno=True)
    assert library.prctl(38, 1, 0, 0, 0) == 0 and library.prctl(22, 2, filter) == 0, ctypes.get_errno()

    import numpy as np
    from pedbench.adversary.isolation.answers import AttackFailure
    from pedbench.adversary.isolation.pool import AttackPool
    from pedbench.adversary.view_bytes import view_to_bytes
    from pedbench.checks.samples import make_view, made_up_picture
    from pedbench.registry import Registry

    registry = Registry([Path(sys.argv[1])])
    spec = registry.spec("attacks", "reader", {"file": sys.argv[2]})
    attack = registry.create("attacks", "reader", {"file": ""})
    view = view_to_bytes(make_view(attack, made_up_picture(np.random.default_rng(0), (16, 16))))
    with AttackPool([spec]) as pool:
        try:
            pool.guess(spec, [view], [0])
        except AttackFailure as failure:
            print(pool.enforced, failure)
"""

READER = '''
from dataclasses import dataclass

from pedbench.base import Attack


@dataclass(kw_only=True)
class Reader(Attack):
    """Read a file."""

    name = "reader"
    version = 1
    needs = frozenset({"nothing"})
    file: str

    def reconstruct(self, view, rng):
        return open(self.file, "rb").read()
'''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and filters of system calls are Linux's")
def test_the_truth_stays_closed_without_landlock(tmp_path: Path) -> None:
    plugin, truth = tmp_path / "reader.py", tmp_path / "truth.png"
    plugin.write_text(READER)
    truth.write_bytes(b"truth")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(plugin), str(truth)], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("False attack reader: TruthAccessError: an attack may not open"), done
    assert str(truth.resolve()) in done.stdout
