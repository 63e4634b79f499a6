"""The contract of engines."""

from __future__ import annotations

import subprocess
import sys


def test_the_contract_imports_no_torch() -> None:
    code = "import sys, pedbench.engines.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
