"""Families with random weights, enough for timing."""

from __future__ import annotations

from pathlib import Path

from pedbench.host.home import RANDOM_WEIGHTS, home
from pedbench.models.sam.assembly import build_sam, random_tensors
from pedbench.models.sam.family import Family, Member, family
from pedbench.models.sam.streamed_weights import write_streamed


def choose_family(name: str, *, original: Path | None, fine_tuned: Path | None, random: bool) -> Family:
    """Return the family of a command line; see `family` and `random_family`.

    Raises:
        ValueError: The name is unknown, or the family takes no files.
    """
    if random and (original or fine_tuned):
        raise ValueError("--random-weights takes no checkpoint; leave --original and --fine-tuned out.")
    if not random:
        named = {"original": original, "fine-tuned": fine_tuned}
        return family(name, {weights: file for weights, file in named.items() if file})
    return random_family(name)


def random_weights(name: str) -> dict[str, str]:
    """Return the files of `random_family` by the name of their weights, for `family`."""
    random = random_family(name)
    return {"original": str(random.original.file), "fine-tuned": str(random.fine_tuned.file)}


def random_family(name: str, seed: int = 0) -> Family:
    """Return a family with random weights, which take the same time as trained ones.

    The weights are files in pedbench's home, made on first use, so that all processes share one copy in memory.

    Args:
        name: One of `FAMILIES`.
        seed: Seed of the weights.
    """
    base = family(name)

    def member(original: Member) -> Member:
        architecture = original.architecture
        file = home() / RANDOM_WEIGHTS / f"{architecture.name}-{seed}.safetensors"
        if not file.is_file():
            state = build_sam(architecture, allocate=False).state_dict()
            write_streamed(file, state, random_tensors(state, seed))
        return Member(architecture=architecture, file=file, source="--random-weights")

    return Family(name=name, original=member(base.original), fine_tuned=member(base.fine_tuned))
