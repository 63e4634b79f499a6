"""Steps of a first contact on the pretended device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pedbench.models.sam.architectures import SMALL
from pedbench.models.sam.stages import GlobalStage
from tests.pretended_graphs import pretended_graphs
from tools.benchmarks.encoder_costs import encode, encoder, picture
from tools.first_contact.attention import CHOSEN, THEIRS, layers
from tools.first_contact.parity import encoder_errors, mask_errors
from tools.first_contact.setting import Setting
from tools.first_contact.speedups import PLAIN, graphed, in_order, overlapped, versions

CUDA = Setting(device="cuda", folder=Path(), small=True)
ORDERED = SMALL.reordered("small, PED order")


def tokens(number: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(1, *ORDERED.tokens, ORDERED.embed_dim) for _ in range(number)]


@pytest.mark.slow
def test_parity_is_measured_on_the_device() -> None:
    with pretended_graphs():
        rows = encoder_errors(SMALL, "cuda")
        masks = mask_errors("cuda", 1)
    assert [row for row in rows if "error" in row] == []
    assert all(row["allowed"] for row in rows if row["program"] == "pedbench")
    assert max(row["largest"] for row in rows if row["precision"].startswith("float32")) < 1e-4
    assert [row for row in masks if "error" in row] == []
    assert max(row["pixels"] for row in masks) < 1e-2


@pytest.mark.parametrize("grid", [SMALL.tokens, (14, 14)], ids=str)
def test_attention_is_measured_on_the_device(grid: tuple[int, int]) -> None:
    with pretended_graphs():
        found = layers(SMALL, grid, 2, torch.float32, CUDA)
    able = {name: row for name, row in found.items() if "error" not in row}
    assert {THEIRS, CHOSEN, "pieces in one buffer", "bias as a mask"} <= able.keys()
    assert max(row["largest"] for row in able.values()) < 1e-4
    assert all(row["seconds"] > 0 for row in able.values())
    assert all(row["peak_bytes"] == 10 for row in able.values())


def test_a_graph_computes_what_it_is_given() -> None:
    stage = GlobalStage(encoder("pedbench float32", ORDERED))
    one, other = tokens(2)
    with torch.no_grad():
        expected = [stage(one), stage(other)]
    with pretended_graphs(), torch.no_grad():
        replay = graphed(GlobalStage(encoder("pedbench float32", ORDERED, "cuda")), one.to("cuda"))
        found = [replay(each.to("cuda")).cpu().clone() for each in (one, other)]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert not torch.allclose(found[0], found[1], atol=1e-2)


def test_a_whole_encoder_fits_into_a_graph() -> None:
    """So it copies nothing from the CPU once its constants are cached."""
    pixels = picture(ORDERED)
    expected = encode(encoder("pedbench float32", ORDERED), -pixels)
    with pretended_graphs(), torch.no_grad():
        network = encoder("pedbench float32", ORDERED, "cuda")
        replay = graphed(lambda copied: encode(network, copied), pixels.to("cuda"))
        found = replay(-pixels.to("cuda")).cpu()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("way", [in_order, overlapped])
def test_copies_reach_the_computation_in_their_order(way: Callable[..., list[Tensor]]) -> None:
    sent = tokens(3)
    with pretended_graphs(), torch.no_grad():
        found = [each.cpu() for each in way(lambda copied: copied * 2, sent, "cuda")]
    torch.testing.assert_close(found, [each * 2 for each in sent], atol=0, rtol=0)


@pytest.mark.slow
def test_versions_are_compared_on_the_device() -> None:
    with pretended_graphs():
        stage = GlobalStage(encoder("pedbench float32", ORDERED, "cuda"))
        found = versions(stage, tokens(1)[0].to("cuda"), CUDA)
    assert found["CUDA graph"]["largest"] < 1e-4
    assert found["CUDA graph"]["seconds"] > 0
    assert found[PLAIN]["seconds"] > 0
