"""Code on the wire neither unpickles nor evaluates."""

from __future__ import annotations

import ast
from pathlib import Path

import pedbench

# gRPC's and the project's own methods of these names, which move bytes.
_KNOWN: set[tuple[str, str]] = {
    ("tls_probe.py", "plain.recv"),
    ("tls_probe.py", "secure.recv"),
    ("wiretap.py", "re.compile"),
    ("virtual.py", "self.load"),
}


def test_nothing_from_the_wire_is_unpickled_or_evaluated() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
    # `Connection.recv` unpickles, and so do `load` of torch and numpy.
    calls = {"eval", "exec", "compile", "recv", "load", "loads"}
    allowed = {"json.loads", "tomli.loads"}
    package = Path(pedbench.__file__).parent
    on_the_wire = [
        package / "network" / f"{name}.py" for name in ("clock_offset", "emulated_link", "tls_probe")
    ]
    files = sorted([*(package / "offload").rglob("*.py"), *on_the_wire])
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not {name.partition(".")[0] for name in names} & forbidden, file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called.rpartition(".")[2] in calls and called not in allowed:
                    assert (file.name, called) in _KNOWN, (file, called)
