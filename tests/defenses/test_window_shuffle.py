"""Windows in an order that only the edge knows, and the same result."""

from typing import Any

import numpy as np
import pytest
import torch

from pedbench.host.determinism import without_onednn
from pedbench.models.sam.stages import window_grid
from pedbench.models.sam.window_blocks import add_positions
from pedbench.offload.operations.blocks import RunBlocks
from pedbench.offload.operations.tiles import embed_windows
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.window_shuffle import WindowShuffle
from pedbench.privacy.disclosure_audit import Audit


@pytest.mark.parametrize("size", [(1, 1), (0.7, 1), (1, 0.4)], ids=["square", "wide", "tall"])
def test_nothing_changes_but_the_order(setting: Any, size: tuple[float, float]) -> None:
    frame = setting.picture(*size)
    done, seen, found = setting.judge(WindowShuffle(servers=1), frame)
    expected = setting.run(PedSam(payload="tokens32"), frame).embedding.features
    assert (done.embedding.features - expected).abs().max() < 1e-5
    assert found == Audit(whole_visible=(), invalid=())
    network = setting.networks.network("fine-tuned")
    grid = window_grid(network.image_encoder)
    with torch.inference_mode(), without_onednn():
        tokens = embed_windows(network, to_uint8(frame))
        windows = list(tokens)
        embedded = add_positions(
            network.image_encoder, torch.tensor(np.stack(list(tokens.values()))), windows, grid
        )
    true = {window: values.numpy().tobytes() for window, values in zip(windows, embedded, strict=True)}
    moved = 0
    for held in seen:
        stated = [tuple(place) for place in held.message.payload["positions"].tolist()]
        came = [values.tobytes() for values in held.message.payload["tokens"]]
        assert sorted(came) == sorted(true[window] for window in stated)
        moved += sum(true[window] != values for window, values in zip(stated, came, strict=True))
    assert moved >= len(windows) / 4
    # A position embedding shows beyond the frame, too, so the view holds all that lies in the token grid.
    rows = sum(np.prod(grid.inside(window)) for window in windows)
    assert sum(len(held.tokens[0].values) for held in seen) == rows


def test_orders_are_drawn_for_every_request(mini: Any) -> None:
    frame = mini.picture()
    one, two, again = (mini.run(WindowShuffle(), frame, seed).received for seed in (1, 2, 1))
    assert [m.payload["tokens"].tobytes() for m in one] == [m.payload["tokens"].tobytes() for m in again]
    assert all(
        m.payload["tokens"].tobytes() != n.payload["tokens"].tobytes()
        and np.array_equal(m.payload["positions"], n.payload["positions"])
        for m, n in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("hidden", [1.0, -0.0])
@pytest.mark.parametrize("first", ["0", "1"])
def test_nothing_hides_beyond_the_grid(setting: Any, first: str, hidden: float) -> None:
    frame = setting.picture(1, 1)
    message = setting.run(WindowShuffle(), frame).received[0]
    arguments = {**message.arguments, "first": first}
    side = message.payload["tokens"].shape[1]
    height = setting.networks.network("original").image_encoder.pos_embed.shape[1]
    beyond = 0
    for index, (row, column) in enumerate(message.payload["positions"].tolist()):
        tokens = message.payload["tokens"].copy()
        tokens[index, -1, -1, 0] = hidden
        payload = {**message.payload, "tokens": tokens}
        if max(row * side + side, column * side + side) > height:
            beyond += 1
            with pytest.raises(ValueError, match="beyond the"):
                RunBlocks().observe(payload, arguments, setting.networks, 0, 0)
        else:
            assert RunBlocks().observe(payload, arguments, setting.networks, 0, 0)
    assert bool(beyond) == bool(height % side)


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        WindowShuffle(servers=0)
