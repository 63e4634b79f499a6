"""Suites: what a run consists of, as a versioned TOML file.

A published suite is never edited; a change makes a new version.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from pedbench.network.links import LOOPBACK
from pedbench.suites.choices import (
    AttackChoice,
    Choice,
    DatasetChoice,
    DefenseChoice,
    GalleryChoice,
    ProbeChoice,
    Strict,
)
from pedbench.types import MOST_COALITIONS


class UtilityChoice(Strict):
    """How prompts are placed and masks scored."""

    protocol: Literal["clicks", "saf"]
    prompts: list[str] = Field(min_length=1)


class CoalitionChoice(Strict):
    """c of the N servers pool what they received.

    Several c in a list are a sweep, for curves: those that exceed a defense's servers are left out for it.

    Attributes:
        m: How many coalitions are evaluated, if that many exist: all, or those of a search. Fewer than
            `MOST_COALITIONS` is a cap, under which the ones that do most damage to a one-colour guess remain.
    """

    c: int | Literal["N"] | list[int]
    m: int = Field(default=MOST_COALITIONS, ge=1)

    @field_validator("c")
    @classmethod
    def _at_least_one(cls, c: int | str | list[int]) -> int | str | list[int]:
        sizes = c if isinstance(c, list) else [c]
        if not sizes or any(isinstance(size, int) and size < 1 for size in sizes):
            raise ValueError("a coalition has at least one server")
        return c


class QuickChoice(Strict):
    """Part of a suite that `--quick` leaves.

    It shows one picture, and leaves no probe, no gallery, no turn-taking, no lies, and no defense with a `limit` of its
    own, as all these take long.

    Attributes:
        limit: Pictures.
        attacks: Names of attacks of the suite.
    """

    limit: int = Field(ge=1)
    attacks: list[str]


class DevicesChoice(Strict):
    """Devices of `pedbench/latency/devices.toml`, or `this-host`, to which turn-taking passes are projected."""

    edge: str = "this-host"
    server: str = "this-host"


class LatencyChoice(Strict):
    """How often a defense is timed.

    Attributes:
        samples: Timed pictures.
        warmup: Pictures before them, outside the selection, whose times are dropped.
        turn_taking: Whether to measure servers computing alone, too.
        links: Names of links between edge and servers. The passes that are scored go over the first.
        devices: Devices to which turn-taking passes are projected, too; none without it.
        dtype: Half precision of the image encoders, for suites that measure nothing but latency.
    """

    samples: int = Field(ge=1)
    warmup: int = Field(ge=0)
    turn_taking: bool = True
    links: list[str] = Field(default=[LOOPBACK], min_length=1)
    devices: DevicesChoice | None = None
    dtype: Literal["float16", "bfloat16"] | None = None


class ServersChoice(Strict):
    """Demands on servers.

    Attributes:
        deadline: Seconds until a server must have answered a call.
        on_lost: What becomes of windows whose tokens come late or not at all: the cells `fail`, or the `edge` computes
            them itself. Cells with such a picture are flagged as degraded, and have no latency.
        max_visible_share: The largest share of a frame that one server may get, where defenses would give more: their
            cells are invalid then, and nothing is sent.
        max_session_share: The same of the places that one server may see in all requests for a picture.
        spot_checks: Windows of each pass, drawn anew, that the edge computes, too. A server that returned something
            else is given up, and what it returned is lost.
    """

    deadline: float = Field(default=120.0, gt=0)
    on_lost: Literal["fail", "edge"] = "fail"
    max_visible_share: float | None = Field(default=None, gt=0, le=1)
    max_session_share: float | None = Field(default=None, gt=0, le=1)
    spot_checks: int = Field(default=0, ge=0)


class UploadsChoice(Strict):
    """Limits of what hosted attacks may have services do for them, in all runs of the suite on a machine together.

    Attributes:
        most_requests: Requests that may cost; repetitions count, answers that are kept do not.
        price: Price of a request, in any currency.
        most_cost: Limit of their sum, in the same currency.
        per_minute: Requests that may cost in a minute.
    """

    most_requests: int = Field(default=100, ge=1)
    price: float = Field(default=0.0, ge=0)
    most_cost: float | None = Field(default=None, ge=0)
    per_minute: float = Field(default=10.0, gt=0)


class Suite(Strict):
    """Definition of a run.

    Attributes:
        allow_upload: Whether hosted attacks may send what views hold to the services that they name.
        uploads: Limits of that.
        weights: Files of the model family's weights by name, e.g. "fine-tuned", in the place of its own.
        seeds: How often attacks to which chance belongs guess each picture, each time anew.
        deadline: Seconds that an attack may take for one job, its guesses of up to eight pictures.
        gallery: The pictures among which those of the dataset are searched for, with views and guesses.
        exhibits: How many of the first pictures are shown in the report, with what became of them.
        compare_with: The first defense of this name that has these parameters: the others are compared with it.
        quick: A part of it, for a quick look and for checks of every change.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    version: int = Field(ge=1)
    seed: int = Field(ge=0)
    model: str
    weights: dict[str, str] | None = None
    seeds: int = Field(default=1, ge=1)
    deadline: float = Field(default=600.0, gt=0)
    exhibits: int = Field(default=3, ge=0)
    dataset: DatasetChoice
    utility: list[UtilityChoice] = Field(default=[])
    defenses: list[DefenseChoice] = Field(min_length=1)
    attacks: list[AttackChoice]
    metrics: list[Choice]
    probes: list[ProbeChoice] = Field(default=[])
    coalitions: list[CoalitionChoice]
    latency: LatencyChoice
    servers: ServersChoice = ServersChoice()
    gallery: GalleryChoice | None = None
    compare_with: Choice | None = None
    quick: QuickChoice | None = None
    allow_upload: bool = False
    uploads: UploadsChoice | None = None

    @field_validator("attacks", "metrics", "probes", mode="before")
    @classmethod
    def _names_alone(cls, choices: Any) -> Any:
        if not isinstance(choices, list):
            return choices
        return [{"name": choice} if isinstance(choice, str) else choice for choice in choices]


class ResolvedSuite(Suite):
    """A suite without sweeps, each plugin with all of its parameters: exactly what is run and saved."""

    @field_validator("defenses", "attacks", "metrics", "probes")
    @classmethod
    def _no_sweeps(cls, choices: list[Choice]) -> list[Choice]:
        for choice in choices:
            if choice.sweep:
                raise ValueError(f"{choice.name} has a sweep that was not expanded")
        return choices
