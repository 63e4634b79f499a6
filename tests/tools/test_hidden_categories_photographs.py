"""The study of context heads on annotated pictures, with tiny random networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pedbench.models.attackers.context_head import ContextHead, HeadSizes, save_head
from pedbench.models.hub.embedding import load_embedder
from pedbench.scenes.staging.furnish import CATEGORIES
from pedbench.scenes.store import write_split
from pedbench.training.fine_tuning.context import encoder_digest
from tests.conftest import TRANSFORMER
from tools.studies.hidden_categories_photographs import main


@pytest.mark.slow
def test_a_constant_guess_ranks_as_the_prior(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from transformers import (
        BitImageProcessor,
        Dinov2Config,
        Dinov2Model,
        YolosConfig,
        YolosForObjectDetection,
        YolosImageProcessor,
    )

    write_split(tmp_path / "scenes", seed=3, count=4, split="train", workers=1)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    Dinov2Model(Dinov2Config(**TRANSFORMER, image_size=56, patch_size=14)).save_pretrained(
        tmp_path / "dinov2"
    )
    crop = {"height": 56, "width": 56}
    BitImageProcessor(size={"shortest_edge": 56}, crop_size=crop).save_pretrained(tmp_path / "dinov2")
    # One category of the pictures, and one that they do not have.
    names = {0: CATEGORIES[0], 1: "unicorn"}
    config = YolosConfig(**sizes, image_size=[64, 64], num_detection_tokens=5, id2label=names)
    YolosForObjectDetection(config).save_pretrained(tmp_path / "yolos")
    YolosImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(tmp_path / "yolos")

    width = len(load_embedder(str(tmp_path / "dinov2"), "cpu")(np.zeros((8, 8, 3), np.float32)))
    head = ContextHead(HeadSizes(features=width, categories=len(CATEGORIES)))
    head.categories, head.encoder = tuple(CATEGORIES), encoder_digest(str(tmp_path / "dinov2"))
    head.start(np.full(len(CATEGORIES), 0.2))
    folder = tmp_path / "context-tiny"
    folder.mkdir()
    save_head(head, folder / "context-tiny.safetensors")

    def study(encoder: str) -> None:
        main(
            folder,
            str(tmp_path / encoder),
            str(tmp_path / "yolos"),
            tmp_path / "scenes" / "images",
            tmp_path / "scenes" / "annotations" / "instances.json",
            count=2,
            training=2,
        )

    study("dinov2")
    rows = [
        line.strip("|").split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("|")
    ]
    prior, _, own = ([cell.strip() for cell in row] for row in rows[2:])
    assert prior[2] == "0.000 [0.000, 0.000]"
    assert own[0] == "`context-tiny`"
    # Average precision depends on the order alone, and a constant has none.
    assert own[1] == prior[1]
    with pytest.raises(ValueError, match="is not the embedder that"):
        study("yolos")
