"""The seams: one base class for each kind of plugin.

A plugin is one class in one file of the same name. Its keyword-only dataclass fields are its whole
configuration; its `repr` is that configuration and serves as its id in tables and tests.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pedbench.errors import PluginUnavailable as PluginUnavailable
from pedbench.errors import ProbeUnavailable as ProbeUnavailable
from pedbench.types import Mask, Patch, Payload, Picture, Sample, Tokens, View

if TYPE_CHECKING:
    import torch

    from pedbench.offload.passes.cloud import Cloud
    from pedbench.offload.passes.edge import Edge
    from pedbench.pictures.windows import WindowGrid

Disclosure = Literal["nothing", "exact", "degraded", "decoy"]


@dataclass(kw_only=True)
class Plugin:
    """What every plugin has: a name (its file's stem), a version, a citation, a configuration."""

    name: ClassVar[str]
    version: ClassVar[int]
    cite: ClassVar[str] = ""

    @property
    def params(self) -> dict[str, Any]:
        """The configuration as JSON values, in the order of the fields."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    @property
    def label(self) -> str:
        """Name and the parameters that differ from their defaults, as tables print it."""
        changed = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.init and (f.default is dataclasses.MISSING or getattr(self, f.name) != f.default)
        }
        if not changed:
            return self.name
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in changed.items())})"

    @classmethod
    def summary(cls) -> str:
        """The docstring's first sentence."""
        return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").strip()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files and folders that `prepare` reads: weights that a parameter names, of attacks and probes."""
        return ()

    def prepare(self, device: str) -> None:
        """Load weights and heavy libraries; the only place that may. Called once a process.

        Of attacks on an accelerator it is called with `cpu` first, and then with the device in every process that
        was forked from there: what is loaded may move.

        Raises:
            PluginUnavailable: Something optional is not installed.
        """


@dataclass(kw_only=True)
class Embedding:
    """The encoder's output and the network whose decoder understands it.

    Attributes:
        features: (1, C, h, w) image embedding on the edge.
        network: The `segment_anything.modeling.Sam` whose prompt encoder and mask decoder read it.
    """

    features: torch.Tensor
    network: Any


@dataclass(kw_only=True)
class Defense(Plugin, ABC):
    """How a picture is embedded with the help of untrusted servers.

    Attributes:
        disclosure: What the servers get, which the harness verifies on every picture:
            "nothing" no message at all; "exact" pixels (or tokens) of the frame as they are, each at its
            place; "degraded" pixels changed on purpose, all of which count as hidden and are attacked as
            such; "decoy" payloads that do not depend on the picture at all.
        control: "whole picture" if one server gets every frame as it is, so that a sound harness finds a
            leakage of 1; "mixed tokens" if servers get tokens that tell of pixels which they never received.
            Defenses that send nothing, or decoys, are controls without saying so.
        shares_windows: Whether the embedding is made of tokens that servers return by `cloud.encode_windows`, so that
            a suite can let them lie and spot checks find them.
    """

    disclosure: ClassVar[Disclosure]
    control: ClassVar[Literal["", "whole picture", "mixed tokens"]] = ""
    shares_windows: ClassVar[bool] = False

    @property
    def undefended(self) -> bool:
        """Whether this is the model as it is, which retention compares with."""
        return False

    @property
    def servers(self) -> int:
        """How many servers the defense calls."""
        return 1

    @property
    def codecs(self) -> tuple[str, ...]:
        """Labels of the codecs that write its messages, whose versions its measurements' identity depends on."""
        return ()

    @property
    def networks(self) -> tuple[str, ...]:
        """Weights of the networks that the defense runs, which its measurements' identity depends on.

        By default those that the parameter `weights` names.
        """
        weights = self.params.get("weights")
        return (weights,) if weights else ()

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        """The largest share of the frame's pixels that one server may receive for one request.

        The cloud refuses to send more, and what was received is checked against it.

        Args:
            frame: Height and width of the frame.
            grid: The window grid of the family's networks.
        """
        return 1.0

    @property
    def randomised(self) -> bool:
        """Whether the same picture is treated differently from request to request."""
        return False

    @abstractmethod
    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        """Embed one frame.

        Args:
            frame: (H, W, 3) float32 in [0, 1], every value a multiple of 1/255, longest side as the
                model wants it, not padded.
            edge: Runs parts of the model here; carries `edge.rng` and `edge.request`.
            cloud: The servers; `len(cloud) == self.servers`.
        """


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The figure that an attack must reach before the little that it finds elsewhere means anything.

    It is the mean over pictures and coalitions, under the rule and the configuration of the defense that give most.

    Attributes:
        defense: Name of the defense on which it is reached.
        params: Those of its parameters that matter.
        metric: As values name it, e.g. "PSNR" or "advantage[RMSE]"; larger is better for the attacker.
        over: Name of an attack whose values are subtracted, picture by picture; "" for none.
    """

    defense: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metric: str
    region: Literal["hidden", "whole"]
    least: float
    over: str = ""


@dataclass(kw_only=True)
class Attack(Plugin, ABC):
    """Turns what a coalition received into a guess of the whole frame.

    Attributes:
        needs: What the attack can use of a view: any of "nothing", "pixels", "degraded", "tokens", "metadata".
            A view that holds none of them is not attacked; the cell is recorded as skipped.
        floor: Whether this is an attack without a learned prior, against which the others are measured.
        stochastic: Whether guesses depend on chance. Suites can ask for several of each picture; floors are drawn once.
        proof: What it must reach; floors need none. Without one, and until it is reached, its numbers are flagged.
    """

    needs: ClassVar[frozenset[str]]
    floor: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    proof: ClassVar[Proof | None] = None

    @property
    def requests(self) -> int:
        """How many requests of the same scene the attack asks for."""
        return 1

    @property
    def knowledge(self) -> str:
        """What it learned from beside the prior: data and training steps, in words; empty for nothing.

        For networks that the package ships, `pedbench.models.manifest.trained_on` says it.
        """
        return ""

    @abstractmethod
    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        """Guess the frame: (H, W, 3) float32 in [0, 1] of `view.frame_size`, every pixel filled."""

    def batches(self, device: str) -> bool:
        """Whether `reconstruct_many` takes less time there than one view after the other."""
        return type(self).reconstruct_many is not Attack.reconstruct_many

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        """Guess several frames; may be overridden to batch, and must equal one-by-one guesses."""
        return [self.reconstruct(view, rng) for view, rng in zip(views, rngs, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something a probe says it read.

    Attributes:
        box: x, y, width, height in pixels of the picture it was given.
    """

    kind: Literal["text", "face", "object", "caption"]
    content: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(kw_only=True)
class Probe(Plugin, ABC):
    """Reads text, faces or objects from a picture, or says in a sentence what it shows.

    `prepare` raises `ProbeUnavailable` where the machine lacks a library that the probe can do without.

    Attributes:
        reads: The kind of its claims, and of the secrets that they are held against: those that the dataset tells
            of or, for objects and captions, its instances.
        side: Longest side in pixels to which frames are magnified before the probe reads them, and parts of
            frames by the same factor; larger ones stay as they are.
    """

    reads: ClassVar[Literal["text", "face", "object", "caption"]]
    side: ClassVar[int]

    @abstractmethod
    def claims(self, picture: Picture) -> list[Claim]:
        """Read one picture, (H, W, 3) float32 in [0, 1]."""


@dataclass(kw_only=True)
class Metric(Plugin, ABC):
    """A distance or similarity between guesses and truths over a region.

    Attributes:
        better: From the defender's side: "higher" or "lower" values mean more privacy.
        unit: "" for dimensionless.
        bounds: Smallest and largest possible value.
        exact: The value of an exact copy, from which a distance is measured; None where ratios of
            distances mean nothing (decibels).
    """

    axis: ClassVar[Literal["utility", "privacy", "latency"]] = "privacy"
    better: ClassVar[Literal["higher", "lower"]]
    unit: ClassVar[str] = ""
    bounds: ClassVar[tuple[float, float]]
    exact: ClassVar[float | None] = None

    @property
    @abstractmethod
    def column(self) -> str:
        """The metric's name in tables, e.g. "SSIM" or "LPIPS-alex"."""

    @abstractmethod
    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        """Score N guesses of one truth.

        Args:
            guess: N pictures (H, W, 3).
            truth: (H, W, 3).
            regions: Named (H, W) masks, e.g. hidden, visible, whole.

        Returns:
            For each guess the value per region; a region that is empty (or too small) is absent.
        """


@dataclass(frozen=True, kw_only=True)
class Field:
    """One array of a payload: allowed dtypes and shape.

    Attributes:
        shape: An int is exact; a str binds a size that must be the same wherever the name stands.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int | str, ...]


class Operation(ABC):
    """A named thing a server can do, and how its payload looks to whoever runs that server.

    Attributes:
        request: Declared arrays of the request.
        reply: Declared arrays of the reply.
        arguments: Declared string arguments, each with all its allowed values.
    """

    name: ClassVar[str]
    request: ClassVar[Mapping[str, Field]]
    reply: ClassVar[Mapping[str, Field]]
    arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @abstractmethod
    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        """Compute the reply on the server."""

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Patch | Tokens] | None:
        """The payload as pixels and tokens; None if there is no known way: it then counts as the whole frame."""
        return None


class Networks(ABC):
    """The models of one family, loaded when first asked for."""

    @property
    def exact(self) -> bool:
        """Whether image encoders compute in float32, so that no result may depend on the number of threads."""
        return True

    @abstractmethod
    def network(self, weights: str) -> Any:
        """The `segment_anything.modeling.Sam` of a variant.

        Args:
            weights: original, fine-tuned, reordered, windowed, dropped, small, blurred, pixelated or prolonged.
        """


@dataclass(kw_only=True)
class Codec(Plugin, ABC):
    """How an array of a payload or a reply is written as bytes.

    Attributes:
        takes: What arrays hold: "uint8" pixels, (..., H, W, 3), zero beyond the frame; or "float32" tokens,
            (..., C).
        exact: Whether arrays come back as they were. What others leave of pixels counts as degraded.
    """

    takes: ClassVar[Literal["uint8", "float32"]]
    exact: ClassVar[bool] = False

    @abstractmethod
    def encode(self, array: np.ndarray[Any, Any]) -> bytes:
        """Write an array; the same bytes for the same array.

        Raises:
            FloatingPointError: A value is too large to be written.
        """

    @abstractmethod
    def decode(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Read an array of this shape, of the dtype that was written. Zeros beyond the frame are zeros again.

        Raises:
            ValueError: The bytes are no such array.
        """


@dataclass(kw_only=True)
class Dataset(Plugin, ABC):
    """Pictures with what is known about them, in a fixed order.

    Attributes:
        annotated: Whether the pictures come with instances; where not, masks are compared with the undefended
            model's.
    """

    annotated: ClassVar[bool] = True

    @property
    @abstractmethod
    def revision(self) -> str:
        """Identifies the content: a release name or a hash. Part of a cell's identity."""

    @property
    @abstractmethod
    def left_out(self) -> Mapping[str, str]:
        """Pictures that could not be read, id -> reason; the same for all defenses."""

    @property
    def locations(self) -> tuple[Path, ...]:
        """Files and folders with the pictures and what is known of them: no attack may have them among its files."""
        return ()

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Ids of the readable pictures in their order, without reading pixels."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def __len__(self) -> int:
        return len(self.ids())
