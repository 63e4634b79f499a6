"""Bytes that nothing explains count as the whole frame."""

from typing import Any

import pytest

from pedbench.adversary.view import footprints
from pedbench.errors import DisclosureError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.types import Picture
from tests.offload.cheating_defenses import (
    Cheat,
    Unbound,
    behind_the_message,
    beyond_the_frame,
    by_an_operation_that_shows_a_corner,
    in_metadata,
    in_misshapen_tokens,
    in_the_low_bits_of_floats,
    in_the_method,
    in_the_user_agent,
    judge,
    run,
    without_a_way_to_pixels,
    without_colours,
)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (in_metadata, "undeclared metadata 'picture-bin'"),
        (in_the_user_agent, "undeclared metadata 'user-agent'"),
        (behind_the_message, "explain no others"),
        (in_the_method, "a call of '/pedbench.Server/Call/"),
        (without_a_way_to_pixels, "opaque cannot show its payload: its `observe` is missing"),
        (
            in_misshapen_tokens,
            "tokens with values (n, C) and positions (n, 2), found values of shape (1, 2, 8)",
        ),
        (by_an_operation_that_shows_a_corner, "liar carries"),
        (in_the_low_bits_of_floats, "coarse carries"),
        (
            beyond_the_frame,
            "echo cannot be observed: a patch of 320 x 320 pixels at row 0, column 0 reaches beyond the frame of "
            "240 x 320 pixels",
        ),
        (
            without_colours,
            "grey cannot be observed: a patch shows no picture: a picture has shape (H, W, 3), found (240, 320)",
        ),
    ],
)
def test_unexplained_bytes_are_the_whole_frame(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, script: Any, reason: str
) -> None:
    seen, found = judge(Unbound(script=script), wide, servers, networks)
    assert reason in " ".join(found.whole_visible)
    covered = footprints(seen, 3, wide.shape[:2])
    assert covered[0].all()
    assert not covered[1:].any()


def test_the_edge_says_why_a_message_counts_as_the_whole_frame(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    with pytest.raises(DisclosureError, match="counts as the whole frame: opaque cannot show its payload"):
        run(Cheat(script=without_a_way_to_pixels), wide, servers, networks)
