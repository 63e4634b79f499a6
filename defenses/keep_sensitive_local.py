"""PED-SAM in which windows that hold faces or text stay on the edge."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.face_cascade import Box
from pedbench.models.sensitive_regions import FaceDetector, TextDetector
from pedbench.offload.operations.tiles import Bytes
from pedbench.offload.passes.assignment import assign, check_sharing, largest_share
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture

_MARGIN = 1 / 160
"""Growth of boxes on every side, relative to the frame's longest side: detectors cut objects short."""


@dataclass(kw_only=True)
class KeepSensitiveLocal(Defense):
    """Windows in which a detector on the device finds faces or text stay there; servers share the others.

    Servers see by omission which windows stayed on the device, and so where the detector found something.
    Missed faces and text are sent: `secret exposure > 0 %` of all servers together is the miss rate. The edge
    computes kept windows.

    Attributes:
        servers: Number of servers that share the windows that leave.
        assignment: `round_robin`, `contiguous`, `dispersed` or `random`; windows are assigned as if all left.
        faces: Whether to look for faces.
        text: Whether to look for text; this needs the extra `probes`.
        weights: A network whose window blocks come first.
    """

    name = "keep_sensitive_local"
    version = 2
    cite = "PED-SAM, SEC 2025, arXiv:2512.09309; PP-OCR, arXiv:2009.09941; Liao et al. 2007"
    disclosure = "exact"
    shares_windows = True
    servers: int = 3
    assignment: str = "dispersed"
    faces: bool = True
    text: bool = True
    weights: str = "fine-tuned"
    _detectors: list[Callable[[Bytes], list[Box]]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_sharing(self.servers, self.assignment)
        if not (self.faces or self.text):
            raise ValueError("nothing would be kept: look for faces, for text, or for both")

    @property
    def randomised(self) -> bool:
        return self.assignment == "random"

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return largest_share(self.assignment, self.servers, frame, grid)

    def prepare(self, device: str) -> None:
        kinds = ((self.faces, FaceDetector), (self.text, TextDetector))
        self._detectors = [detector() for chosen, detector in kinds if chosen]

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        if not self._detectors:
            raise RuntimeError("keep_sensitive_local was used before prepare(), and would keep nothing")
        with edge.preparing():
            pixels, grid = to_uint8(frame), edge.grid(self.weights)
            boxes = [box for detector in self._detectors for box in detector(pixels)]
            home = grid.touched(boxes, pixels.shape[:2], margin=_MARGIN * max(pixels.shape))
            windows = grid.active(pixels.shape[:2])
            sent = assign(self.assignment, windows, self.servers, edge.rng, home)
        return edge.finish(cloud.encode_windows(frame, sent, home=home, weights=self.weights), self.weights)
