"""A cell: one measurement, and the identity under which its result is stored and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from pedbench.offload.integrity.lie_names import LieName


@dataclass(frozen=True, kw_only=True)
class PluginIdentity:
    """What identifies a configured plugin: where it was loaded from is provenance."""

    name: str
    version: int
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CoalitionRule:
    """c servers pool what they received.

    All such coalitions are evaluated where at most m exist, else at least m that a search finds; an m below
    `MOST_COALITIONS` is a cap. See `pedbench.adversary.coalitions.search`.
    """

    c: int | Literal["N"]
    m: int


@dataclass(frozen=True, kw_only=True)
class Lie:
    """What some of the servers return in the place of tokens.

    Attributes:
        liars: How many of the servers lie.
        servers: How many the defense calls.
        checks: Windows of each pass that the edge computes, too.
        strength: How far perturbed tokens are from what they should be; None for other lies.
    """

    lie: LieName
    liars: int
    servers: int
    checks: int
    strength: float | None = None

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.lie if self.strength is None else f"{self.lie} by {self.strength:.3g}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement. What is None plays no part in it and none in its identity.

    Attributes:
        dataset: The dataset's name.
        revision: Identifies the dataset's content.
        selection: Hash of the selected image ids in their order; see `selection_hash`.
        model: The model family's name.
        weights: sha256 of the weights that the defense and the attack use.
        attack: Privacy cells only, as are `coalition` and `requests`.
        read_out: The attack whose readings of the payload this cell's attack completes.
        scouts: Hash of the fast attacks that choose the coalitions from which a slow one guesses; see `slow`.
        gallery: Hash of the pictures among which this cell's are searched for; privacy cells only.
        probe: What reads the picture; privacy cells about claims only.
        source: What the probe reads: what was received as it is, or the attack's guess.
        seeds: How often the attack guessed each picture, where that is more than once.
        floors: Hash of the floors that leakage and advantage relate to; privacy cells with an attack only.
        protocol: Utility and integrity cells only: how prompts are placed and masks scored.
        lie: Integrity cells only: mIoU while some servers lie is no utility of the defense.
        codecs: Versions of the codecs that write the defense's messages, by label.
        link: Latency cells only, as are `dtype` and `devices`: the named link between edge and servers.
        devices: Names of the devices, as edge and as server, to which passes are projected.
    """

    kind: Literal["utility", "privacy", "latency", "integrity"]
    dataset: str
    revision: str
    selection: str
    model: str
    weights: str
    defense: PluginIdentity
    seed: int
    attack: PluginIdentity | None = None
    coalition: CoalitionRule | None = None
    read_out: PluginIdentity | None = None
    scouts: str | None = None
    requests: int | None = None
    probe: PluginIdentity | None = None
    source: Literal["tiles", "guess"] | None = None
    seeds: int | None = None
    floors: str | None = None
    gallery: str | None = None
    protocol: str | None = None
    lie: Lie | None = None
    codecs: Mapping[str, int] | None = None
    link: str | None = None
    dtype: str | None = None
    devices: Mapping[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The cell as JSON values, without what plays no part."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @cached_property
    def cell_id(self) -> str:
        """First 12 hexadecimal digits of the sha256 of the cell as canonical JSON."""
        return cell_digest(self.as_dict())


def cell_digest(cell: Mapping[str, Any]) -> str:
    """The id of a cell that is given as `Cell.as_dict` gives it."""
    return hashlib.sha256(canonical_json(cell).encode()).hexdigest()[:12]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, and floats as Python's shortest exact representation.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def selection_hash(ids: Sequence[str]) -> str:
    """First 12 hexadecimal digits of the sha256 of image ids in their order."""
    return hashlib.sha256(canonical_json(list(ids)).encode()).hexdigest()[:12]
