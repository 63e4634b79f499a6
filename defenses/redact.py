"""Redaction of detected faces, text and screens before the picture is offloaded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.face_cascade import Box
from pedbench.models.hub.folders import model_files
from pedbench.models.sensitive_regions import SCREENS, FaceDetector, ScreenDetector, TextDetector
from pedbench.offload.operations.tiles import Bytes
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.regions import rectangles
from pedbench.types import Picture


@dataclass(kw_only=True)
class Redact(Defense):
    """One server gets the frame without the boxes in which the device detects faces, text or screens.

    The server fills the boxes with grey. What a detector misses is sent as it is. The detectors are the networks of
    the probes that later look for faces, words and objects: what they cannot find, they miss twice. `secret exposure`
    needs no detector, so it is the measure of the misses.

    Attributes:
        faces: Whether to look for faces.
        text: Whether to look for text; this needs the extra `probes`.
        screens: Whether to look for laptops, monitors, phones and tablets of scenes.
        margin: Growth of boxes on every side, relative to the frame's longest side.
        weights: The network that the server runs.
    """

    name = "redact"
    version = 1
    cite = "PP-OCR, arXiv:2009.09941; Liao et al. 2007; RT-DETR, arXiv:2304.08069"
    disclosure = "exact"
    faces: bool = True
    text: bool = True
    screens: bool = True
    margin: float = 0.00625
    weights: str = "original"
    _detectors: list[Callable[[Bytes], list[Box]]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not (self.faces or self.text or self.screens):
            raise ValueError("nothing would be redacted: look for faces, text or screens")
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin must lie in [0, 1), found {self.margin}")

    @property
    def files(self) -> tuple[Path, ...]:
        return model_files(SCREENS) if self.screens else ()

    def prepare(self, device: str) -> None:
        kinds = ((self.faces, FaceDetector), (self.text, TextDetector), (self.screens, ScreenDetector))
        self._detectors = [detector() for chosen, detector in kinds if chosen]

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        if not self._detectors:
            raise RuntimeError("redact was used before prepare(), and would send everything")
        with edge.preparing():
            pixels = to_uint8(frame).copy()
            hidden = np.zeros(pixels.shape[:2], np.bool_)
            margin = self.margin * max(pixels.shape)
            for x, y, width, height in (box for detector in self._detectors for box in detector(pixels)):
                left, top = (max(0, int(np.floor(corner - margin))) for corner in (x, y))
                right, bottom = (max(0, int(np.ceil(end + margin))) for end in (x + width, y + height))
                hidden[top:bottom, left:right] = True
            pixels[hidden] = 0
            boxes = np.array(rectangles(hidden), np.int32).reshape(-1, 4)
        arguments = {"weights": self.weights, "reply": "float32"}
        reply = cloud[0].call("encode_redacted", arguments=arguments, pixels=pixels, boxes=boxes)
        network = edge.networks.network(self.weights)
        features = torch.tensor(reply.result()["features"], device=network.device)
        return Embedding(features=features.float(), network=network)
