"""Families with random weights: enough to time a network."""

from __future__ import annotations

from pathlib import Path

from pedbench.host.home import home
from pedbench.models.sam.assembly import build_sam, random_tensors
from pedbench.models.sam.checkpoints import write
from pedbench.models.sam.family import Family, Member, family


def choose_family(name: str, *, original: Path | None, fine_tuned: Path | None, random: bool) -> Family:
    """The family that a command line asks for; see `family` and `random_family`.

    Raises:
        ValueError: Unknown name, or files that the family does not take.
    """
    if random and (original or fine_tuned):
        raise ValueError("--random-weights takes no checkpoint; leave --original and --fine-tuned out.")
    if not random:
        named = {"original": original, "fine-tuned": fine_tuned}
        return family(name, {weights: file for weights, file in named.items() if file})
    return random_family(name)


def random_family(name: str, seed: int = 0) -> Family:
    """A family with random weights, which take as long as trained ones.

    They are files, drawn on first use and kept in pedbench's home, so that all processes share one copy in memory.

    Args:
        name: One of `FAMILIES`.
        seed: Draws other weights.
    """
    of = family(name)

    def member(original: Member) -> Member:
        architecture = original.architecture
        file = home() / "random-weights" / f"{architecture.name}-{seed}.safetensors"
        if not file.is_file():
            state = build_sam(architecture, allocate=False).state_dict()
            write(dict(random_tensors(state, seed)), file)
        return Member(architecture=architecture, file=file, source="--random-weights")

    return Family(name=name, original=member(of.original), fine_tuned=member(of.fine_tuned))
