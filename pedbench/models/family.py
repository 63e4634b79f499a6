"""Which networks belong together: an original, its fine-tuned twin in PED order, and a small one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch

from pedbench.base import Networks
from pedbench.fetching.catalogue import entry as entry_of
from pedbench.fetching.fetch import verified
from pedbench.home import home
from pedbench.models.architectures import PED_MINI, SAM_MINI, SAM_TINY, VIT_B, VIT_H, VIT_L, Architecture
from pedbench.models.checkpoints import load
from pedbench.models.converted import converted
from pedbench.models.errors import CheckpointError
from pedbench.models.manifest import ASSETS, digest, entry, verify
from pedbench.models.pretrained import model_reference
from pedbench.models.reorder import VARIANTS, variant
from pedbench.models.sam import build_sam, randomise
from pedbench.models.transformers_sam import read_architecture

Weights = Literal[
    "original",
    "fine-tuned",
    "reordered",
    "windowed",
    "dropped",
    "small",
    "blurred",
    "pixelated",
    "prolonged",
]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One trained network of a family.

    Attributes:
        architecture: Its sizes.
        file: Its weights; None where nobody named any.
        source: The command that makes or fetches the file.
    """

    architecture: Architecture
    file: Path | None
    source: str


@dataclass(frozen=True, kw_only=True)
class Family:
    """Networks that are compared with each other.

    Attributes:
        name: `mini`, `vit_b`, `vit_l` or `vit_h`; or the folder or hub id of a SAM in transformers' format.
        original: The undefended network; the training-free variants derive from it.
        fine_tuned: The same in PED order, trained on.
        small: A small network for the device alone; None where the family has none.
        blurred: The original trained on by `fine_tuned`'s recipe, on blurred pictures; None likewise, as below.
        pixelated: The same on pixelated pictures.
        prolonged: The original trained as long as `fine_tuned` was.
    """

    name: str
    original: Member
    fine_tuned: Member
    small: Member | None = None
    blurred: Member | None = None
    pixelated: Member | None = None
    prolonged: Member | None = None

    def digests(self, used: Collection[str] = ()) -> dict[str, str]:
        """sha256 of each weights file that is there, by the network's name.

        Args:
            used: Weights that a defense uses. Those of `blurred`, `pixelated` and `prolonged` count only where
                they are used, so that they change the identity of no other measurement.
        """
        further = {"blurred": self.blurred, "pixelated": self.pixelated, "prolonged": self.prolonged}
        named = [
            self.original,
            self.fine_tuned,
            self.small,
            *(further[name] for name in further if name in used),
        ]
        members = [member for member in named if member is not None]
        return {
            member.architecture.name: digest(member.file)
            for member in members
            if member.file is not None and member.file.is_file()
        }

    def unverified(self) -> list[str]:
        """Networks whose weights file is there and neither a manifest beside it nor a public record knows it."""
        members = [member for member in (self.original, self.fine_tuned, self.small) if member is not None]
        return [
            member.architecture.name
            for member in members
            if member.file is not None and member.file.is_file() and not _known(member.file, member)
        ]


def _known(file: Path, member: Member) -> bool:
    """Whether the manifest beside a weights file knows it, or a public record of an official checkpoint."""
    return entry(member.architecture.name, file.parent).get("file") == file.name or verified(file)


def _asset(architecture: Architecture, name: str = "") -> Member:
    architecture = replace(architecture, name=name or architecture.name)
    name = architecture.name
    return Member(
        architecture=architecture, file=ASSETS / f"{name}.safetensors", source=f"pedbench train {name}"
    )


MINI = Family(
    name="mini",
    original=_asset(SAM_MINI),
    fine_tuned=_asset(PED_MINI),
    small=_asset(SAM_TINY),
    blurred=_asset(SAM_MINI, "blur-mini"),
    pixelated=_asset(SAM_MINI, "pixelate-mini"),
    prolonged=_asset(SAM_MINI, "sam-mini-prolonged"),
)
_REAL = {item.name: item for item in (VIT_B, VIT_L, VIT_H)}
FAMILIES = (MINI.name, *_REAL)


def family(name: str, *, original: str | Path | None = None, fine_tuned: str | Path | None = None) -> Family:
    """Look up a family.

    Args:
        name: `mini`, which comes with its weights, or `vit_b`, `vit_l`, `vit_h`; or the
            folder or hub id of a SAM in transformers' format, which comes with its original network.
        original: Checkpoint of the original network, by default the official one where `pedbench fetch` puts it;
            not for `mini` nor for a folder.
        fine_tuned: Checkpoint of the fine-tuned network in PED order; not for `mini`.

    Raises:
        ValueError: Unknown name, or files for `mini`.
        CheckpointError: The folder is missing, or it holds another network.
    """
    name = model_reference(name)
    if "/" in name:
        return _of_folder(name, original, fine_tuned)
    if name == MINI.name:
        if original or fine_tuned:
            raise ValueError("the mini family comes with its weights; found a checkpoint path for it")
        return MINI
    if name not in _REAL:
        raise ValueError(f"unknown model family {name!r}; known: {', '.join(FAMILIES)}")

    official = f"sam_{name}"
    fetched = home() / entry_of(official).files[0].path
    twin = _REAL[name].reordered(f"ped-{name}")
    return Family(
        name=name,
        original=Member(
            architecture=_REAL[name],
            file=Path(original) if original else fetched,
            source=f"pedbench fetch {official}, or pass the path of a {name} checkpoint",
        ),
        fine_tuned=Member(
            architecture=twin,
            file=Path(fine_tuned) if fine_tuned else None,
            source=f"pass the path of a {twin.name} checkpoint",
        ),
    )


def _of_folder(name: str, original: str | Path | None, fine_tuned: str | Path | None) -> Family:
    if original:
        raise ValueError(f"{name} comes with its original network; found a checkpoint path for it")
    architecture, file = read_architecture(name)
    twin = architecture.reordered(f"ped-{architecture.name}")
    return Family(
        name=name,
        original=Member(architecture=architecture, file=file, source="pass the path of the whole folder"),
        fine_tuned=Member(
            architecture=twin,
            file=Path(fine_tuned) if fine_tuned else None,
            source=f"pass the path of a {twin.name} checkpoint",
        ),
    )


@lru_cache(maxsize=16)
def load_network(
    of: Family,
    weights: Weights,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    random_seed: int | None = None,
) -> Any:
    """Load a network once per process; callers share it and must not change it.

    Args:
        of: The family.
        weights: Which of its networks.
        device: Where the network computes.
        dtype: Type of the image encoder's parameters; prompts and masks are computed in float32.
        random_seed: Take random weights instead of trained ones: enough to time a network, or to test.

    Returns:
        A `segment_anything.modeling.Sam` in evaluation mode, its parameters frozen.

    Raises:
        ValueError: Unknown `weights`, or the family has no such network.
        CheckpointError: The weights file is missing, of another kind, or not the one in the manifest.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"unknown weights {weights!r}; known: {', '.join(WEIGHTS)}")
    if weights in VARIANTS and weights != "original":
        return variant(load_network(of, "original", device, dtype, random_seed), weights)
    members = {
        "original": of.original,
        "fine-tuned": of.fine_tuned,
        "small": of.small,
        "blurred": of.blurred,
        "pixelated": of.pixelated,
        "prolonged": of.prolonged,
    }
    member = members[weights]
    if member is None:
        raise ValueError(
            f"the {of.name} family has no {weights} network; choose other weights or the mini family"
        )
    if random_seed is None:
        file = _verified(member)
        sam = load(file if dtype == torch.float32 else converted(file, dtype), member.architecture)
    else:
        sam = build_sam(member.architecture)
        randomise(sam, random_seed)
    sam.requires_grad_(False).to(device=device)
    sam.image_encoder.to(dtype=dtype)
    return sam


@dataclass(frozen=True, kw_only=True)
class FamilyNetworks(Networks):
    """The networks of a family on one device; arguments as `load_network`."""

    family: Family
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    random_seed: int | None = None

    @property
    def exact(self) -> bool:
        return self.dtype == torch.float32

    def network(self, weights: str) -> Any:
        """The network of that name; see `load_network`."""
        return load_network(self.family, cast(Weights, weights), self.device, self.dtype, self.random_seed)


def _verified(member: Member) -> Path:
    """The weights file of a member, checked against the manifest if that knows the file."""
    name, file = member.architecture.name, member.file
    if file is None:
        raise CheckpointError(f"no weights were named for {name}\nexpected a file: {member.source}")
    if not file.is_file():
        raise CheckpointError(f"no weights for {name}: looked for {file}\nto get them: {member.source}")
    verify(name, file, file.parent)
    return file
