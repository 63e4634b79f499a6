"""Which networks belong together: an original, its fine-tuned twin in PED order, and a small one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import torch

from pedbench.base import Networks
from pedbench.errors import CheckpointError, suggestion
from pedbench.fetching.catalogue import entry as entry_of
from pedbench.fetching.digests import digest
from pedbench.fetching.fetch import verified
from pedbench.host.home import home
from pedbench.models.hub.folders import model_reference
from pedbench.models.manifest import ASSETS, entry, verify
from pedbench.models.sam.architectures import (
    PED_MINI,
    SAM_MINI,
    SAM_TINY,
    SLIM_SAM,
    VIT_B,
    VIT_H,
    VIT_L,
    Architecture,
)
from pedbench.models.sam.assembly import build_sam, randomise
from pedbench.models.sam.checkpoints import load
from pedbench.models.sam.half_precision import converted
from pedbench.models.sam.reorder import VARIANTS, variant
from pedbench.models.sam.transformers_sam import read_architecture

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
        core: Weights that are part of every measurement's identity.
        named: Files that were named in the place of the family's own, by their weights' name.
    """

    name: str
    original: Member
    fine_tuned: Member
    small: Member | None = None
    blurred: Member | None = None
    pixelated: Member | None = None
    prolonged: Member | None = None
    core: tuple[str, ...] = ("original",)
    named: tuple[tuple[str, str], ...] = ()

    def member(self, weights: str) -> Member | None:
        """The network from whose file weights come; those of the training-free variants come from the original's."""
        members = {
            "fine-tuned": self.fine_tuned,
            "small": self.small,
            "blurred": self.blurred,
            "pixelated": self.pixelated,
            "prolonged": self.prolonged,
        }
        return members.get(weights, self.original)

    def files(self) -> list[Path]:
        """All weights files, there or not."""
        members = [self.member(weights) for weights in WEIGHTS]
        found = [member.file for member in members if member is not None and member.file is not None]
        return list(dict.fromkeys(found))

    def unnamed(self, used: Iterable[str]) -> str:
        """Why a defense that uses these weights cannot be measured, if nobody named a file of them; else ""."""
        for weights in used:
            member = self.member(weights)
            if member is not None and member.file is None:
                return f"no weights were named for {member.architecture.name}: {member.source}"
        return ""

    def digests(self, used: Collection[str] = ()) -> dict[str, str]:
        """sha256 of each weights file that is there, by the network's name.

        Args:
            used: Weights that a defense uses. Beside those that always count, only they do, so that a network
                changes the identity of no measurement that has nothing to do with it.
        """
        counted = [weights for weights in FILED if weights in self.core or weights in used]
        members = [self.member(weights) for weights in counted]
        return {
            member.architecture.name: digest(member.file)
            for member in members
            if member is not None and member.file is not None and member.file.is_file()
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


def _trained(architecture: Architecture) -> Path | None:
    """Where `pedbench train ped-sam` puts a network's weights, if they are there."""
    file = home() / architecture.name / f"{architecture.name}.safetensors"
    return file if file.is_file() else None


MINI = Family(
    name="mini",
    original=_asset(SAM_MINI),
    fine_tuned=_asset(PED_MINI),
    small=_asset(SAM_TINY),
    blurred=_asset(SAM_MINI, "blur-mini"),
    pixelated=_asset(SAM_MINI, "pixelate-mini"),
    prolonged=_asset(SAM_MINI, "sam-mini-prolonged"),
    core=("original", "fine-tuned", "small"),
)
_REAL = {item.name: item for item in (VIT_B, VIT_L, VIT_H)}
FAMILIES = (MINI.name, *_REAL)
FILED = tuple(weights for weights in WEIGHTS if weights == "original" or weights not in VARIANTS)
"""Weights that lie in a file of their own."""


def family(name: str, files: Mapping[str, str | Path] = MappingProxyType({})) -> Family:
    """Look up a family.

    Args:
        name: `mini`, which comes with its weights, or `vit_b`, `vit_l`, `vit_h`; or the folder or hub id of a SAM in
            transformers' format, which comes with its original network.
        files: Checkpoints by the name of their weights, such as "fine-tuned", in the place of the family's own; not
            for `mini`. Without one, the original is the official checkpoint and the small network SlimSAM, where
            `pedbench fetch` puts them, and the fine-tuned network the one that `pedbench train ped-sam` made, if it
            did; nobody publishes the others.

    Raises:
        ValueError: Unknown name of a family or of weights, or files for `mini`.
        CheckpointError: The folder is missing, or it holds another network.
    """
    name = model_reference(name)
    for weights in files:
        if weights not in FILED:
            raise ValueError(
                f"no file can be named for weights {weights!r}{suggestion(weights, FILED)}; for these it can: "
                f"{', '.join(FILED)}"
            )
    if name == MINI.name:
        if files:
            raise ValueError("the mini family comes with its weights; found a checkpoint path for it")
        return MINI
    paths = {weights: Path(file).expanduser().resolve() for weights, file in files.items()}

    def member(weights: str, architecture: Architecture, own: Path | None, made_by: str = "") -> Member:
        pass_it = f"pass the path of a {architecture.name} checkpoint, --weights {weights}=FILE"
        source = f"{made_by}, or {pass_it}" if made_by else pass_it
        return Member(architecture=architecture, file=paths.get(weights, own), source=source)

    if "/" in name:
        if "original" in files:
            raise ValueError(f"{name} comes with its original network; found a checkpoint path for it")
        of, file = read_architecture(name)
        original = Member(architecture=of, file=file, source="pass the path of the whole folder")
    elif name in _REAL:
        of = _REAL[name]
        original = member("original", of, _fetched(f"sam_{name}"), f"pedbench fetch sam_{name}")
    else:
        raise ValueError(f"unknown model family {name!r}; known: {', '.join(FAMILIES)}")
    twin = of.reordered(f"ped-{of.name}")
    return Family(
        name=name,
        original=original,
        fine_tuned=member("fine-tuned", twin, _trained(twin), "pedbench train ped-sam"),
        small=member("small", SLIM_SAM, _fetched(SLIM_SAM.name), f"pedbench fetch {SLIM_SAM.name}"),
        blurred=member("blurred", replace(of, name=f"blur-{of.name}"), None),
        pixelated=member("pixelated", replace(of, name=f"pixelate-{of.name}"), None),
        prolonged=member("prolonged", replace(of, name=f"{of.name}-prolonged"), None),
        named=tuple(sorted((weights, str(path)) for weights, path in paths.items())),
    )


def _fetched(entry: str) -> Path:
    return home() / entry_of(entry).files[-1].path


def described_family(description: Mapping[str, Any]) -> Family:
    """The family whose networks a defense runs, as its public description names it and, if need be, its files.

    Raises:
        ValueError: The description names no family.
    """
    if "family" not in description:
        raise ValueError(
            f"expected a description that names the family of networks, found {dict(description)}"
        )
    return family(str(description["family"]), description.get("weights", {}))


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
    member = of.member(weights)
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
        # Inference tensors, as weights would be that a pass loads, could not take part in a later backward pass.
        with torch.inference_mode(False):
            return load_network(
                self.family, cast(Weights, weights), self.device, self.dtype, self.random_seed
            )


def _verified(member: Member) -> Path:
    """The weights file of a member, checked against the manifest if that knows the file."""
    name, file = member.architecture.name, member.file
    if file is None:
        raise CheckpointError(f"no weights were named for {name}\n{member.source}")
    if not file.is_file():
        raise CheckpointError(f"no weights for {name}: looked for {file}\nto get them: {member.source}")
    verify(name, file, file.parent)
    return file
