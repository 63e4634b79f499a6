"""Choices of plugins in a suite: which, with which parameters, on how many pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from pedbench.offload.integrity.lie_names import LieName

Value = bool | int | float | str | list[bool | int | float | str]
"""Value of a plugin's parameter in a suite."""


class Strict(BaseModel):
    """A table of a suite, which has no other keys than these."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Choice(Strict):
    """A plugin with its parameters. A parameter in `sweep` takes each of its values in turn."""

    name: str
    params: dict[str, Value] = {}
    sweep: dict[str, list[Value]] = {}


_Counted = Annotated[int, Field(ge=1)]
_Checked = Annotated[int, Field(ge=0)]
_Strength = Annotated[float, Field(gt=0)]


class LieChoice(Strict):
    """Servers that lie, under which mIoU is measured, too. Lists are sweeps: all combinations.

    Attributes:
        lie: What they return in the place of tokens; see `offload.lies.Lies`.
        liars: How many of the defense's servers.
        checks: Windows of each pass that the edge computes, too.
        strength: Of `perturbed`: how far tokens are from what they should be, relative to their length.
    """

    lie: LieName
    liars: _Counted | Annotated[list[_Counted], Field(min_length=1)]
    checks: _Checked | Annotated[list[_Checked], Field(min_length=1)] = 0
    strength: _Strength | Annotated[list[_Strength], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _strong_if_perturbed(self) -> Self:
        if (self.strength is None) == (self.lie == "perturbed"):
            raise ValueError("a strength belongs to the lie perturbed, and to no other")
        return self


class DefenseChoice(Choice):
    """A defense, which axes beside utility are measured for it, and on how many of the first pictures.

    Attributes:
        limit: For defenses whose attacks take long; all pictures of the suite without it.
        lies: Under which mIoU is measured, too; none without it.
    """

    privacy: bool = True
    latency: bool = True
    limit: int | None = Field(default=None, ge=1)
    lies: list[LieChoice] | None = None


class AttackChoice(Choice):
    """An attack, how many of the first pictures it guesses, and from which views.

    Floors have no limit and are never slow, as all others relate to them.

    Attributes:
        limit: For attacks that take long; all pictures without it.
        slow: Whether the attack guesses of each picture only from the coalitions that the fast attacks found worst, one
            per distance.
        read_outs: For attacks that complete pictures: the read-out attacks of the suite whose readings it also starts
            from, each in a chain of its own; "all" for every one.
        coalitions: Of suites of the first versions, where it limited the coalitions: read as `slow`.
    """

    limit: int | None = Field(default=None, ge=1)
    slow: bool = False
    read_outs: list[str] | Literal["all"] = []
    coalitions: int | None = Field(default=None, ge=1)


class ProbeChoice(Choice):
    """A probe, and what it reads beside what was received.

    Attributes:
        attacks: Names of attacks of the suite whose guesses it reads, too.
        limit: How many of the first pictures it reads, as that takes long; all without a limit.
    """

    attacks: list[str] = []
    limit: int | None = Field(default=None, ge=1)


class DatasetChoice(Strict):
    """A dataset and how many of its first pictures are used; all without a limit.

    Attributes:
        commitment: Digest of a secret from which the dataset's parameter `seed` follows.
        secret: That secret, in the suite of a run, which reveals it.
    """

    name: str
    params: dict[str, Value] = {}
    limit: int | None = Field(default=None, ge=1)
    commitment: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    secret: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class GalleryChoice(DatasetChoice):
    """The pictures among which those of a run are searched for.

    Attributes:
        model: Folder or hub id of a model of transformers whose features pictures are compared by; small copies are
            compared without it.
    """

    model: str | None = None
