"""The values that cross the seams of pedbench: samples, frames, payloads, messages and views.

Pixels are float32 RGB in [0, 1] at every boundary. Sizes are (height, width).
"""

from typing import Literal

from pedbench.types.messages import Assignment, Exchange, MessageFacts, Payload, Received, Window
from pedbench.types.samples import Instance, Mask, Picture, Sample, Secret
from pedbench.types.view import MOST_COALITIONS, SURE, Patch, Prior, Reading, Tokens, View

Status = Literal["ok", "skipped", "failed", "invalid"]

__all__ = [
    "MOST_COALITIONS",
    "SURE",
    "Assignment",
    "Exchange",
    "Instance",
    "Mask",
    "MessageFacts",
    "Patch",
    "Payload",
    "Picture",
    "Prior",
    "Reading",
    "Received",
    "Sample",
    "Secret",
    "Status",
    "Tokens",
    "View",
    "Window",
]
