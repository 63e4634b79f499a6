"""Families of networks: an original, its fine-tuned twin in PED order, a small one, and others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from pedbench.errors import suggestion
from pedbench.fetching.digests import digest
from pedbench.host.home import home
from pedbench.models.hub.folders import model_files, model_reference
from pedbench.models.manifest import ASSETS, manifest_entry
from pedbench.models.sam.architectures import (
    PED_MINI,
    SAM_MINI,
    SAM_TINY,
    SLIM_SAM,
    VARIANTS,
    VIT_B,
    VIT_H,
    VIT_L,
    Architecture,
)
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
    "dp-pixelated",
    "prolonged",
]

WEIGHTS: tuple[Weights, ...] = get_args(Weights)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One trained network of a family.

    Attributes:
        architecture: Its sizes.
        file: Its weights; None if nobody named a file.
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
        fine_tuned: The original in PED order, fine-tuned.
        small: A small network for the device alone; like the next four, None if the family has none.
        blurred: The original fine-tuned by `fine_tuned`'s recipe on blurred pictures.
        pixelated: The original fine-tuned by the same recipe on pixelated pictures.
        dp_pixelated: The original fine-tuned by the same recipe on pictures of `dp_pixelate`.
        prolonged: The original trained as long as `fine_tuned`.
        core: Weights that are part of every measurement's identity.
        named: Files named by the user instead of the family's own, by the name of their weights.
    """

    name: str
    original: Member
    fine_tuned: Member
    small: Member | None = None
    blurred: Member | None = None
    pixelated: Member | None = None
    dp_pixelated: Member | None = None
    prolonged: Member | None = None
    core: tuple[str, ...] = ("original",)
    named: tuple[tuple[str, str], ...] = ()

    def member(self, weights: str) -> Member | None:
        """Return the network whose file contains these weights; for training-free variants, the original."""
        found: Member | None = getattr(self, weights.replace("-", "_"), self.original)
        return found

    def files(self) -> list[Path]:
        """Return all weights files, existing or not; of a SAM in transformers' format its whole folder, too."""
        members = map(self.member, WEIGHTS)
        found = [member.file for member in members if member is not None and member.file is not None]
        found += model_files(self.name) if "/" in self.name else ()
        return list(dict.fromkeys(found))

    def unnamed(self, used: Iterable[str]) -> str:
        """Return the reason why weights cannot be used, if nobody named a file for them; else ""."""
        for weights in used:
            member = self.member(weights)
            if member is not None and member.file is None:
                return f"no weights were named for {member.architecture.name}: {member.source}"
        return ""

    def digests(self, used: Collection[str] = ()) -> dict[str, str]:
        """Return the sha256 of each existing weights file, by the network's name.

        Args:
            used: Weights that a defense uses. Only they and `core` count, so that a network does not change
                the identity of unrelated measurements.
        """
        counted = [weights for weights in FILED if weights in self.core or weights in used]
        members = [self.member(weights) for weights in counted]
        return {
            member.architecture.name: digest(member.file)
            for member in members
            if member is not None and member.file is not None and member.file.is_file()
        }

    def unverified(self) -> list[str]:
        """Return the networks whose existing weights file is in no manifest and in no public record."""
        members = [member for member in (self.original, self.fine_tuned, self.small) if member is not None]
        return [
            member.architecture.name
            for member in members
            if member.file is not None and member.file.is_file() and not _known(member.file, member)
        ]


def _known(file: Path, member: Member) -> bool:
    """Return whether a weights file is in the manifest next to it, or is a known official checkpoint."""
    from pedbench.fetching.fetch import verified

    return manifest_entry(member.architecture.name, file.parent).get("file") == file.name or verified(file)


def _asset(architecture: Architecture, name: str = "") -> Member:
    architecture = replace(architecture, name=name or architecture.name)
    name = architecture.name
    return Member(
        architecture=architecture, file=ASSETS / f"{name}.safetensors", source=f"pedbench train {name}"
    )


def _trained(architecture: Architecture) -> Path | None:
    """Return the file of a network's weights from `pedbench train ped-sam`, if it exists."""
    file = home() / architecture.name / f"{architecture.name}.safetensors"
    return file if file.is_file() else None


MINI = Family(
    name="mini",
    original=_asset(SAM_MINI),
    fine_tuned=_asset(PED_MINI),
    small=_asset(SAM_TINY),
    blurred=_asset(SAM_MINI, "blur-mini"),
    pixelated=_asset(SAM_MINI, "pixelate-mini"),
    dp_pixelated=_asset(SAM_MINI, "dp-pixelate-mini"),
    prolonged=_asset(SAM_MINI, "sam-mini-prolonged"),
    core=("original", "fine-tuned", "small"),
)


_REAL = {item.name: item for item in (VIT_B, VIT_L, VIT_H)}


FAMILIES = (MINI.name, *_REAL)


FILED = tuple(weights for weights in WEIGHTS if weights == "original" or weights not in VARIANTS)
"""Weights with a file of their own; the others are derived."""


def family(name: str, files: Mapping[str, str | Path] = MappingProxyType({})) -> Family:
    """Look up a family.

    Args:
        name: `mini`, which includes its weights, or `vit_b`, `vit_l`, `vit_h`; or the folder or hub id of a SAM in
            transformers' format, which includes its original network.
        files: Checkpoints by the name of their weights, such as "fine-tuned", instead of the family's own; not for
            `mini`. Defaults: the official checkpoint as original and SlimSAM as small network, both from `pedbench
            fetch`; the fine-tuned network of `pedbench train ped-sam`, if it exists. The others are not published.

    Raises:
        ValueError: The name of the family or of weights is unknown, or `mini` was given files.
        CheckpointError: The folder is missing or contains another network.
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
        architecture, file = read_architecture(name)
        original = Member(architecture=architecture, file=file, source="pass the path of the whole folder")
    elif name in _REAL:
        architecture = _REAL[name]
        original = member("original", architecture, _fetched(f"sam_{name}"), f"pedbench fetch sam_{name}")
    else:
        raise ValueError(f"unknown model family {name!r}; known: {', '.join(FAMILIES)}")
    stem = architecture.name
    twin = architecture.reordered(f"ped-{stem}")
    return Family(
        name=name,
        original=original,
        fine_tuned=member("fine-tuned", twin, _trained(twin), "pedbench train ped-sam"),
        small=member("small", SLIM_SAM, _fetched(SLIM_SAM.name), f"pedbench fetch {SLIM_SAM.name}"),
        blurred=member("blurred", replace(architecture, name=f"blur-{stem}"), None),
        pixelated=member("pixelated", replace(architecture, name=f"pixelate-{stem}"), None),
        dp_pixelated=member("dp-pixelated", replace(architecture, name=f"dp-pixelate-{stem}"), None),
        prolonged=member("prolonged", replace(architecture, name=f"{stem}-prolonged"), None),
        named=tuple(sorted((weights, str(path)) for weights, path in paths.items())),
    )


def _fetched(name: str) -> Path:
    from pedbench.fetching.catalogue import entry

    return home() / entry(name).files[-1].path


def described_family(description: Mapping[str, Any]) -> Family:
    """Return the family that a defense's public description names, with its files if any.

    Raises:
        ValueError: The description names no family.
    """
    if "family" not in description:
        raise ValueError(
            f"expected a description that names the family of networks, found {dict(description)}"
        )
    return family(str(description["family"]), description.get("weights", {}))
