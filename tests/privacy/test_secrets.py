"""What a run leaves behind tells nothing of the pictures but what its exhibits are for."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.host.console import harmless
from pedbench.pictures.frame import to_frame, to_uint8
from pedbench.registry import Registry


@pytest.mark.long
def test_a_run_without_exhibits_keeps_no_pixels(
    run_small: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset = {"name": "scenes", "params": {"count": 8}, "limit": 1}
    done = run_small(tmp_path / "run", report=True, exhibits=0, dataset=dataset)
    scene = Registry().create("datasets", "scenes", {"count": 8})[0]
    frame = to_uint8(to_frame(scene.image, 320))
    out, err = capfd.readouterr()
    files = [path for path in done.directory.rglob("*") if path.is_file()]
    pictures = [path for path in files if path.suffix in {".webp", ".png", ".jpg", ".npy", ".message"}]
    assert {path.parent.name for path in pictures} == {"figures"}
    kept = b"\0".join(
        [path.read_bytes() for path in files] + [out.encode(), err.encode(), done.said.encode()]
    )
    # Rows of a busy picture that are no flat colour would not be there by chance.
    rows = [row[start : start + 8].tobytes() for row in frame for start in range(0, 312, 8)]
    busy = [row for row in rows if len(set(row)) > 12]
    assert len(busy) > 100
    for row in busy:
        assert row not in kept
        assert ", ".join(map(str, row)).encode() not in kept


def test_keys_and_tokens_are_not_shown() -> None:
    """What an error or a log would print of those who hold them."""
    from pedbench.network.certificates import Identity
    from pedbench.offload.servers.remote import JobCall, Remote
    from pedbench.offload.servers.remote_server import Gate

    ends = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    identity = Identity(
        folder=Path("keys"), authority=b"public", certificate=b"public", key=b"private", ends=ends
    )
    remote = Remote(addresses=["a:1"], identity=identity, model="mini", weights={})
    gate = Gate(inside=None, facts={}, secure=True, _job="private")  # type: ignore[arg-type]
    for holder in (identity, remote, gate, JobCall(None, "private")):
        assert "private" not in repr(holder)


def test_a_terminal_gets_no_commands_from_names() -> None:
    name = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r"
    shown = harmless(f"left out: {name}: é漢\n\tnext")
    assert all(letter.isprintable() or letter in "\n\t" for letter in shown)
    assert "é漢\n\tnext" in shown
    assert np.unique(list(harmless("\x1b\x07"))).tolist() == ["\ufffd"]
