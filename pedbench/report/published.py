"""What others report about the same question: shown beside what was measured, never mixed with it."""

from __future__ import annotations

from pedbench.report.text import NOTHING, table

_PAPER = "arXiv 2512.09309"
_FAST = "segment-anything-fast, `experiments/results.csv`"

_ROWS = [
    ("SAM ViT-H, nothing offloaded", _PAPER, "0.584", "17,700 ms on a Jetson Orin Nano"),
    ("PED-SAM ViT-H", _PAPER, "0.563", "9,624 ms with three GPUs"),
    ("SAM ViT-H behind a Gaussian blur", _PAPER, "0.209", NOTHING),
    ("SAM ViT-H, float32, an A100", _FAST, "0.5842", NOTHING),
    ("SAM ViT-B, float32, an A100", _FAST, "0.5336", NOTHING),
]


def published_table() -> str:
    """As Markdown: mIoU on COCO's val2017 by one point (protocol `saf`), and the time of the encoder."""
    return table(["reported", "source", "mIoU on COCO, saf ↑", "encoder ↓"], _ROWS, left=2)
