"""Weights files: round trips, mapping, fingerprints, and what is said about files of the wrong kind."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pedbench.errors import CheckpointError
from pedbench.models.sam.architectures import PED_MINI, SAM_MINI, SAM_TINY, SMALL, Architecture
from pedbench.models.sam.checkpoints import fingerprint, load_sam, save_sam
from pedbench.models.sam.reorder import variant

MakeSam = Callable[[Architecture], Any]


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_round_trip(suffix: str, tmp_path: Path, random_sam: MakeSam) -> None:
    sam = random_sam(SMALL)
    path = tmp_path / f"weights.{suffix}"
    save_sam(sam, path)
    loaded = load_sam(path, SMALL)
    pixels = torch.randn(1, 3, 256, 256)
    assert torch.equal(loaded.image_encoder(pixels), sam.image_encoder(pixels))
    assert torch.equal(loaded.pixel_std, sam.pixel_std)
    assert not loaded.training
    assert fingerprint(path) == fingerprint(sam) == fingerprint(loaded)
    assert list(tmp_path.iterdir()) == [path]


def test_fingerprint_sees_names_types_and_values(random_sam: MakeSam) -> None:
    sam = random_sam(SMALL)
    half = copy.deepcopy(sam).half()
    found = {fingerprint(sam), fingerprint(variant(sam, "dropped")), fingerprint(half)}
    sam = variant(sam, "original")
    sam.mask_decoder.iou_token.weight = torch.nn.Parameter(sam.mask_decoder.iou_token.weight + 1e-6)
    assert len(found | {fingerprint(sam)}) == 4


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_parameters_are_mapped_from_the_file(suffix: str, tmp_path: Path, random_sam: MakeSam) -> None:
    path = tmp_path / f"weights.{suffix}"
    save_sam(random_sam(SAM_MINI), path)
    sam = load_sam(path, SAM_MINI)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("this system does not list a process's mappings")
    ranges = [
        tuple(int(bound, 16) for bound in line.split()[0].split("-"))
        for line in maps.read_text().splitlines()
        if line.endswith(path.name)
    ]
    for name, tensor in sam.state_dict().items():
        assert any(start <= tensor.data_ptr() < end for start, end in ranges), name


class Trap:
    """Code that a pickle would run."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def wrong_files(folder: Path, random_sam: MakeSam) -> dict[str, tuple[Path, str]]:
    tiny, other, code, words, nested = (
        folder / name for name in ("tiny.pth", "other.safetensors", "code.pth", "words.pth", "nested.pth")
    )
    save_sam(random_sam(SAM_TINY), tiny)
    save_file({"vit.embeddings.cls_token": torch.zeros(1, 1, 8)}, other)
    torch.save({"model": Path("x")}, code)
    words.write_text("not a checkpoint")
    torch.save({"model": random_sam(SMALL).state_dict(), "epoch": 3}, nested)
    truncated = folder / "truncated.safetensors"
    save_sam(random_sam(SMALL), truncated)
    truncated.write_bytes(truncated.read_bytes()[:5000])
    trap = folder / "trap.pth"
    trap.write_bytes(pickle.dumps(Trap(folder / "ran")))
    zipped = folder / "zipped.pth"
    torch.save({"model": Trap(folder / "ran")}, zipped)
    shapes, types, names, keys = (
        folder / f"{name}.safetensors" for name in ("shapes", "types", "names", "keys")
    )
    state = {key: value.clone() for key, value in random_sam(SMALL).state_dict().items()}
    bias = "image_encoder.blocks.0.attn.qkv.bias"
    save_file(state | {bias: torch.zeros(7)}, shapes)
    save_file({key: value.to(torch.int64) for key, value in state.items()}, types)
    save_file({key: value for key, value in state.items() if key != bias}, names)
    keys.write_bytes((10**9).to_bytes(8, "little") + b"{}")
    return {
        "code": (trap, "no readable weights"),
        "code in a zip": (zipped, "no readable weights"),
        "other shapes": (shapes, f"{bias} (7,)"),
        "whole numbers": (types, "as torch.int64"),
        "a tensor less": (names, "tensors"),
        "a header without end": (keys, "no readable weights"),
        "another SAM": (tiny, "4 blocks of width 64, of which [3] are global"),
        "no SAM": (other, "no SAM (such as 'vit.embeddings.cls_token')"),
        "pickled code": (code, "no readable weights"),
        "text": (words, "no readable weights"),
        "training state": (nested, "more than tensors by name (model, epoch)"),
        "truncated": (truncated, "no readable weights"),
        "absent": (folder / "absent.pth", "no such file"),
    }


def test_wrong_files_get_two_lines(tmp_path: Path, random_sam: MakeSam) -> None:
    for path, found in wrong_files(tmp_path, random_sam).values():
        with pytest.raises(CheckpointError) as caught:
            load_sam(path, SMALL)
        first, second = str(caught.value).splitlines()
        assert str(path) in first
        assert found in first
        assert second.startswith("expected")
    assert not (tmp_path / "ran").exists()


def test_block_order_is_part_of_the_kind(tmp_path: Path, random_sam: MakeSam) -> None:
    path = tmp_path / "mini.safetensors"
    save_sam(random_sam(SAM_MINI), path)
    with pytest.raises(CheckpointError, match=r"(?s)\[3, 7\] are global.*\n.*ped-mini.*\[6, 7\] are global"):
        load_sam(path, PED_MINI)


def test_unknown_suffix_is_refused(tmp_path: Path, random_sam: MakeSam) -> None:
    with pytest.raises(ValueError, match=r"expected \.safetensors or \.pth"):
        save_sam(random_sam(SMALL), tmp_path / "weights.bin")
