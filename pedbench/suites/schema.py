"""Suites: what a run consists of, as a versioned TOML file.

A published suite is never edited; a change makes a new version.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pedbench.errors import suggestion
from pedbench.network.links import LOOPBACK
from pedbench.offload.integrity.lie_names import LieName

Value = bool | int | float | str | list[bool | int | float | str]
"""What a plugin's parameter can be in a suite."""

FOLDER = Path(__file__).parent


MOST_BYTES = 500_000
"""Of a suite's file."""

_MOST_DOTS = 200
"""In a line: reading a key takes time with the square of its parts."""

_MOST_SENTENCES = 20
"""About one file."""


class SuiteError(ValueError):
    """A suite is unknown, or its file says something that a suite cannot say."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Choice(_Strict):
    """A plugin with its parameters. A parameter in `sweep` takes each of its values in turn."""

    name: str
    params: dict[str, Value] = {}
    sweep: dict[str, list[Value]] = {}


_Counted = Annotated[int, Field(ge=1)]
_Checked = Annotated[int, Field(ge=0)]
_Strength = Annotated[float, Field(gt=0)]


class LieChoice(_Strict):
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
    """An attack, how many of the first pictures it guesses, and from how many views.

    Floors have neither limit, as all others relate to them.

    Attributes:
        limit: For attacks that take long; all pictures without it.
        coalitions: The same for coalitions: of those that a rule takes the largest; all without it.
    """

    limit: int | None = Field(default=None, ge=1)
    coalitions: int | None = Field(default=None, ge=1)


class ProbeChoice(Choice):
    """A probe, and what it reads beside what was received.

    Attributes:
        attacks: Names of attacks of the suite whose guesses it reads, too.
        limit: How many of the first pictures it reads, as that takes long; all without a limit.
    """

    attacks: list[str] = []
    limit: int | None = Field(default=None, ge=1)


class DatasetChoice(_Strict):
    """A dataset and how many of its first pictures are used; all without a limit."""

    name: str
    params: dict[str, Value] = {}
    limit: int | None = Field(default=None, ge=1)


class GalleryChoice(DatasetChoice):
    """The pictures among which those of a run are searched for.

    Attributes:
        model: Folder or hub id of a model of transformers whose features pictures are compared by; small copies are
            compared without it.
    """

    model: str | None = None


class UtilityChoice(_Strict):
    """How prompts are placed and masks scored."""

    protocol: Literal["clicks", "saf"]
    prompts: list[str] = Field(min_length=1)


class CoalitionChoice(_Strict):
    """c of the N servers pool what they received; the m largest such subsets count.

    Several c in a list are a sweep, for curves: those that exceed a defense's servers are left out for it.
    """

    c: int | Literal["N"] | list[int]
    m: int = Field(ge=1)

    @field_validator("c")
    @classmethod
    def _at_least_one(cls, c: int | str | list[int]) -> int | str | list[int]:
        sizes = c if isinstance(c, list) else [c]
        if not sizes or any(isinstance(size, int) and size < 1 for size in sizes):
            raise ValueError("a coalition has at least one server")
        return c


class QuickChoice(_Strict):
    """What `--quick` leaves of a suite.

    It shows one picture, and leaves no probe, no gallery, no turn-taking, no lies, and no defense with a `limit` of its
    own, as all these take long.

    Attributes:
        limit: Pictures.
        attacks: Names of attacks of the suite.
    """

    limit: int = Field(ge=1)
    attacks: list[str]


class DevicesChoice(_Strict):
    """Devices of `pedbench/latency/devices.toml`, or `this-host`, to which turn-taking passes are projected."""

    edge: str = "this-host"
    server: str = "this-host"


class LatencyChoice(_Strict):
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


class ServersChoice(_Strict):
    """What is expected of servers.

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


class Suite(_Strict):
    """What a run consists of.

    Attributes:
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
    utility: list[UtilityChoice] = []
    defenses: list[DefenseChoice] = Field(min_length=1)
    attacks: list[AttackChoice]
    metrics: list[Choice]
    probes: list[ProbeChoice] = []
    coalitions: list[CoalitionChoice]
    latency: LatencyChoice
    servers: ServersChoice = ServersChoice()
    gallery: GalleryChoice | None = None
    compare_with: Choice | None = None
    quick: QuickChoice | None = None

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


def suite_names() -> list[str]:
    """Names of the suites that pedbench brings."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def load_suite(name_or_path: str) -> Suite:
    """Read one of pedbench's suites by its name, or a suite file by its path.

    Raises:
        SuiteError: The name is unknown, or the file is not a suite; the message says where and why.
        FileNotFoundError: There is no such file.
    """
    if name_or_path in suite_names():
        path = FOLDER / f"{name_or_path}.toml"
    elif name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no suite file {path}.")
    else:
        known = suite_names()
        raise SuiteError(
            f"there is no suite named {name_or_path!r}{suggestion(name_or_path, known)}. "
            f"Known suites: {', '.join(known)}; or give the path of a .toml file."
        )
    return _validated(_read(path), path)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SuiteError(f"{path}: a suite has at most {MOST_BYTES} bytes: is this another file?")
    if any(line.count(b".") > _MOST_DOTS for line in content.splitlines()):
        raise SuiteError(f"{path}: a line has more than {_MOST_DOTS} dots: is this another file?")
    try:
        data = tomllib.loads(content.decode("utf-8"))
        _refuse_large(data)
    # Not all that is wrong with TOML is a `TOMLDecodeError`.
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"{path} is not TOML: {error}.") from None
    return data


def _refuse_large(value: Any) -> None:
    """Refuse whole numbers that TOML does not have: they may be longer than Python can write."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a whole number does not fit into 64 bits")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_large(item)


def _validated(data: dict[str, Any], path: Path) -> Suite:
    try:
        return Suite.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        sentences = [_sentence(path, details) for details in found[:_MOST_SENTENCES]]
        if len(found) > _MOST_SENTENCES:
            sentences.append(f"{path}: and {len(found) - _MOST_SENTENCES} more.")
        raise SuiteError("\n".join(sentences)) from None


def _sentence(path: Path, details: Any) -> str:
    loc = [str(part)[:80] for part in details["loc"]]
    if details["type"] == "extra_forbidden":
        fields = {name for model in _models() for name in model.model_fields}
        return f"{path}: {'.'.join(loc)}: unknown key {loc[-1]!r}{suggestion(loc[-1], fields)}."
    if details["type"] == "missing":
        return f"{path}: {'.'.join(loc)}: this key is missing."
    expected = details["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{path}: {'.'.join(loc)}: {expected}, found {repr(details['input'])[:80]}."


def _models() -> list[type[BaseModel]]:
    choices: list[type[BaseModel]] = [
        DefenseChoice,
        LieChoice,
        ProbeChoice,
        DatasetChoice,
        GalleryChoice,
        UtilityChoice,
        CoalitionChoice,
        LatencyChoice,
        DevicesChoice,
        ServersChoice,
    ]
    return [Suite, QuickChoice, *choices]


def quicker(suite: Suite) -> Suite:
    """The part of a suite that `--quick` runs.

    Raises:
        SuiteError: The suite names no such part, or an attack that it does not have.
    """
    if suite.quick is None:
        raise SuiteError(
            f"suite {suite.name} has no part for --quick: a table [quick] with limit and attacks."
        )
    known = {choice.name for choice in suite.attacks}
    for name in suite.quick.attacks:
        if name not in known:
            raise SuiteError(
                f"[quick] names {name!r}, which is no attack of the suite{suggestion(name, known)}."
            )
    return suite.model_copy(
        update={
            "dataset": suite.dataset.model_copy(update={"limit": suite.quick.limit}),
            "attacks": [choice for choice in suite.attacks if choice.name in suite.quick.attacks],
            "defenses": [
                choice.model_copy(update={"lies": None}) for choice in suite.defenses if choice.limit is None
            ],
            "latency": suite.latency.model_copy(update={"turn_taking": False}),
            "probes": [],
            "exhibits": min(1, suite.exhibits),
            "gallery": None,
            "quick": None,
        }
    )


def to_toml(suite: Suite) -> str:
    """A suite as TOML that `load_suite` reads back as an equal suite."""
    lines, tables = [], []
    for key, value in suite.model_dump(exclude_none=True).items():
        if isinstance(value, dict):
            tables += ["", f"[{key}]", *(f"{name} = {_toml(item)}" for name, item in value.items())]
        elif isinstance(value, list) and value:
            for item in value:
                tables += ["", f"[[{key}]]", *(f"{name} = {_toml(part)}" for name, part in item.items())]
        else:
            lines.append(f"{key} = {_toml(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (
            f"{key if re.fullmatch(r'[A-Za-z0-9_-]+', key) else _toml(key)} = {_toml(item)}"
            for key, item in value.items()
        )
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    return repr(value)
