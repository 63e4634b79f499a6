"""Weights files: official `.pth` checkpoints and `.safetensors`, both mapped into memory."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from pedbench.errors import CheckpointError
from pedbench.host.files import write_atomically
from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.transformers_sam import official_names

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def load_sam(path: str | Path, architecture: Architecture, dtype: torch.dtype = torch.float32) -> Any:
    """Build a SAM with the weights of a file.

    Parameters of the type in the file stay mapped to it, so that processes share one copy in the page cache. Writes to
    them stay in the process.

    Args:
        path: An official `.pth` checkpoint or `.safetensors`, with official or transformers' names.
        architecture: Architecture of the network.
        dtype: Type of the image encoder's parameters; the others are float32.

    Returns:
        A `segment_anything.modeling.Sam` in evaluation mode.

    Raises:
        CheckpointError: The file is missing, not a weights file, or for another network.
    """
    state = _checked(read_state(path), path)
    sam = build_sam(architecture, allocate=False)
    expected = sam.state_dict()
    found, described = _describe(state), _describe(expected)
    other = [key for key in expected if key not in state or state[key].shape != expected[key].shape]
    if other and found == described:
        shape = tuple(state[other[0]].shape) if other[0] in state else "nowhere"
        found += f", {other[0]} {shape}"
        described += f", {other[0]} {tuple(expected[other[0]].shape)}"
    if other or state.keys() != expected.keys():
        raise CheckpointError(
            f"{path}: found {found}\n"
            f"expected {architecture.name}, {described}: pass a file of it, or the file's model"
        )
    sam.load_state_dict(state, assign=True)
    for part in (sam.prompt_encoder, sam.mask_decoder):
        part.float()
    sam.image_encoder.to(dtype)
    return sam


def recognise(path: str | Path, among: Iterable[Architecture]) -> Architecture:
    """Recognise the network of a weights file by its tensors.

    Raises:
        CheckpointError: The file is missing, not a weights file, or for none of these networks.
    """
    state, known = read_state(path), tuple(among)
    for architecture in known:
        try:
            load_sam(path, architecture)
        except CheckpointError:
            continue
        return architecture
    names = ", ".join(architecture.name for architecture in known)
    raise CheckpointError(f"{path}: found {_describe(state)}\nexpected one of {names}: pass a file of it")


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read the named tensors of a file, mapped into memory; SAM's get their official names.

    Raises:
        CheckpointError: The file is missing or not a weights file.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file\nexpected a .pth or .safetensors checkpoint: check the path"
        )
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                state: Any = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        else:
            # Files older than torch 1.6 are not zip archives, and only those can be mapped.
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    # On broken files, readers of weights raise nearly every kind of exception.
    except Exception as error:
        raise CheckpointError(
            f"{path}: found no readable weights ({type(error).__name__})\n"
            "expected tensors by name in a .pth or .safetensors file, and no other pickled objects, whose code is "
            "never run: fetch or convert it again"
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        entries = ", ".join(map(str, list(state)[:4])) if isinstance(state, Mapping) else type(state).__name__
        raise CheckpointError(
            f"{path}: found a file with more than tensors by name ({entries})\n"
            "expected a bare state dict, as official SAM checkpoints are: save the model's state_dict() alone"
        )
    return official_names(state)


def _checked(state: dict[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    for name, tensor in state.items():
        if tensor.dtype not in _DTYPES or tensor.layout != torch.strided:
            raise CheckpointError(
                f"{path}: found {name[:80]} as {tensor.dtype}, {tensor.layout}\n"
                f"expected tensors of {', '.join(map(str, _DTYPES))}: convert it"
            )
    return state


def save_sam(sam: Any, path: str | Path) -> None:
    """Write a network's weights, atomically, as `.safetensors` or `.pth` by the suffix.

    Raises:
        ValueError: The suffix is neither.
    """
    write_tensors(
        {key: value.detach().cpu().contiguous() for key, value in sam.state_dict().items()}, Path(path)
    )


def write_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Write named tensors; see `save_sam`. Creates the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        write_safetensors(path, dict(state))
    elif path.suffix == ".pth":
        write_atomically(path, lambda partial: torch.save(dict(state), partial))
    else:
        raise ValueError(f"cannot write weights as {path.name!r}: expected .safetensors or .pth")


def write_safetensors(path: Path, state: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write named tensors atomically into a file that everybody may read."""

    def save_readable(partial: Path) -> None:
        save_file(state, partial, metadata)
        # safetensors writes files that only their owner may read.
        partial.chmod(0o644)

    write_atomically(path, save_readable)


def fingerprint(source: Any) -> str:
    """Return a hash of weights that does not depend on the file format.

    Args:
        source: A network, or the path of a weights file.

    Returns:
        Hex sha256 over the tensors' names, dtypes, shapes and bytes, in the order of the names.
    """
    state = read_state(source) if isinstance(source, str | Path) else source.state_dict()
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _describe(state: Mapping[str, Tensor]) -> str:
    """Describe a network by its tensors, in a few words."""
    patch = state.get("image_encoder.patch_embed.proj.weight")
    grid = state.get("image_encoder.pos_embed")
    blocks = {key.split(".")[2] for key in state if key.startswith("image_encoder.blocks.")}
    if patch is None or grid is None or patch.ndim != 4 or grid.ndim != 4 or not blocks:
        return f"{len(state)} tensors that are no SAM (such as {min(state, default='none')!r})"
    side, neck = int(grid.shape[1]), len(state.get("image_encoder.neck.0.weight", ()))
    tables = [state.get(f"image_encoder.blocks.{index}.attn.rel_pos_h", ()) for index in range(len(blocks))]
    globals_at = [index for index, table in enumerate(tables) if len(table) == 2 * side - 1]
    return (
        f"a SAM of {len(state)} tensors for {side * patch.shape[2]} px with {len(blocks)} blocks of width "
        f"{patch.shape[0]}, of which {globals_at} are global, and {neck} channels in the neck"
    )
