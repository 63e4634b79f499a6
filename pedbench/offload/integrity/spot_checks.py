"""Whether servers return what they should: some windows of a pass are computed on the edge, too.

The edge has the servers' networks. Which windows it computes is drawn when all tokens are here, so that no server can
know. A server whose tokens differ in one of them is given up, with all that it returned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
import torch

from pedbench.base import Networks, Operation
from pedbench.offload.wire.codec_labels import code, decode, lossy
from pedbench.types import Payload, Window

TOLERANCE = 0.02
"""Deviation that is let pass, for servers whose hardware rounds otherwise."""

LOSSY_TOLERANCE = 0.2
"""The same for tokens that a lossy codec wrote, which may take the next step for a number between two of them."""


class IntegrityError(RuntimeError):
    """A server that returned other tokens than the edge computes."""


@dataclass(frozen=True, kw_only=True)
class SentWindows:
    """A message with windows.

    Attributes:
        windows: Rows and columns, in the order of the payload.
        payload: Before a codec.
        codec: Label of the codec that wrote its pixels, or empty.
    """

    server: int
    windows: Sequence[Window]
    payload: Payload
    codec: str
    operation: Operation
    arguments: Mapping[str, str]

    def tokens(self, drawn: Collection[Window], networks: Networks, reply: str) -> dict[Window, torch.Tensor]:
        """What the server has to return for those of its windows that are among some.

        Args:
            drawn: The windows.
            networks: The edge's models.
            reply: Label of a lossy codec that writes the reply, or empty. What it leaves of a window depends on the
                others in the message.
        """
        rows = [row for row, window in enumerate(self.windows) if window in drawn]
        if not rows:
            return {}
        computed = list(range(len(self.windows))) if reply else rows
        arrays = dict(self.payload)
        if self.codec:
            arrays["pixels"] = decode(code(arrays["pixels"], self.codec))
        part = {name: array if name == "frame" else array[computed] for name, array in arrays.items()}
        tokens = self.operation.run(part, self.arguments, networks)["tokens"]
        if reply:
            field = self.operation.reply["tokens"]
            tokens = decode(code(tokens, reply, field), field)[rows]
        return dict(zip([self.windows[row] for row in rows], torch.tensor(tokens), strict=True))


@dataclass(frozen=True, kw_only=True)
class SpotChecks:
    """Windows of a pass that the edge computes, too.

    Attributes:
        count: How many, of all that servers return in the pass; all if there are no more.
        rng: Draws them. Servers must not be able to foresee it: without one, the system's entropy seeds it, as in every
            deployment. What a benchmark measures under lies is drawn from the suite's seed, so that it can be repeated.
    """

    count: int = 0
    rng: np.random.Generator = field(default_factory=np.random.default_rng)

    def liars(
        self,
        sent: Sequence[SentWindows],
        returned: Mapping[Window, torch.Tensor],
        networks: Networks,
        reply: str,
    ) -> dict[int, IntegrityError]:
        """Find servers that returned other tokens than they should.

        Args:
            sent: All messages.
            returned: Tokens by window, (window, window, C) each; none of servers that were given up.
            networks: The edge's models.
            reply: Label of the codec that wrote the tokens, or empty.

        Returns:
            What was found out, by server.
        """
        rough = reply if reply and lossy({"tokens": reply}) else ""
        windows = sorted(returned)
        drawn = {windows[index] for index in self.rng.permutation(len(windows))[: self.count]}
        found = {}
        for message in sent:
            for window, tokens in message.tokens(drawn, networks, rough).items():
                off, tolerance = deviation(returned[window], tokens), tolerated(reply)
                # Negated, so that a NaN fails as well.
                if not off <= tolerance:
                    found[message.server] = IntegrityError(
                        f"server {message.server} returned tokens of window {window} that deviate by "
                        f"{off:.3g} from those computed here; {tolerance} is let pass"
                    )
        return found


def tolerated(reply: str) -> float:
    """The deviation that is let pass of tokens that a codec of this label wrote, or none."""
    return LOSSY_TOLERANCE if reply and lossy({"tokens": reply}) else TOLERANCE


def deviation(found: torch.Tensor, expected: torch.Tensor) -> float:
    """How far the worst token is from what it should be, relative to the length of the window's tokens.

    Args:
        found: (..., C).
        expected: The same shape.
    """
    expected = expected.to(found.device).float()
    distances = (found.float() - expected).norm(dim=-1)
    length = expected.norm(dim=-1).square().mean().sqrt()
    return float(distances.max() / length)


def detection(windows: int, wrong: int, checked: int) -> float:
    """Probability that at least one of some wrong windows is among those checked, drawn without replacement.

    Args:
        windows: How many servers return in a pass.
        wrong: How many of them are wrong.
        checked: How many are computed again.

    Examples:
        >>> detection(20, 4, 1), detection(20, 4, 17), round(detection(20, 4, 3), 4)
        (0.2, 1.0, 0.5088)
    """
    checked = min(checked, windows)
    whole = comb(windows, checked)
    return (whole - comb(windows - wrong, checked)) / whole
