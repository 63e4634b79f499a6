"""Weights written tensor by tensor against the library's own writer and reader, and the memory that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pedbench.models.sam.half_precision import converted
from pedbench.models.sam.streamed_weights import file_order, write_streamed
from tools.benchmarks.edge_memory import status

MEGABYTE = 2**20
BLOCKS = 24


def tensors() -> dict[str, Tensor]:
    """Return tensors of all dtypes and of odd sizes, in no order."""
    return {
        "b.half": torch.randn(3, 5).half(),
        "é": torch.randn(()),
        "a.brain": torch.randn(7).bfloat16(),
        "b.10": torch.randn(2, 3).t(),
        "b.9": torch.randn(0, 4),
    }


def test_a_file_is_that_of_the_library(tmp_path: Path) -> None:
    state = tensors()
    layout = {name: tensor.to("meta") for name, tensor in state.items()}
    path = tmp_path / "folder" / "streamed.safetensors"
    write_streamed(path, layout, ((name, state[name]) for name in file_order(layout)))
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "library.safetensors")
    assert path.read_bytes() == (tmp_path / "library.safetensors").read_bytes()
    found = load_file(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert path.stat().st_mode & 0o777 == 0o644


def test_other_tensors_than_declared_leave_no_file(tmp_path: Path) -> None:
    state = tensors()
    path = tmp_path / "streamed.safetensors"
    ordered = [(name, state[name]) for name in file_order(state)]
    for wrong in (ordered[:-1], ordered[::-1], [*ordered[:-1], ("b.half", torch.zeros(5, 3).half())]):
        with pytest.raises(ValueError, match=r"expected|shorter"):
            write_streamed(path, state, wrong)
    with pytest.raises(ValueError, match=r"found count as torch.int64, expected one of torch.float32"):
        write_streamed(path, {"count": torch.zeros(1, dtype=torch.int64)}, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_conversion_takes_a_few_blocks_of_memory(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    side = 1024
    noise = torch.randn(side, side)
    state = {f"image_encoder.blocks.{index}.weight": noise + index for index in range(BLOCKS)}
    state |= {"mask_decoder.weight": torch.randn(4)}
    expected = {name: state[name].bfloat16() if "blocks" in name else state[name] for name in state}
    file = tmp_path / f"weights{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    del state
    Path("/proc/self/clear_refs").write_text("5")  # Starts the peak anew.
    before = status("VmRSS")
    path = converted(file, torch.bfloat16)
    # A block takes 4 MB and its conversion 2 MB; all of them 144 MB.
    assert status("VmHWM") - before < 24 * MEGABYTE
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
