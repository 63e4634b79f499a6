"""Spot checks of servers: the edge computes some windows of a pass itself and compares the tokens.

The edge has the servers' networks. It chooses the windows at random after all tokens have arrived, so that servers
cannot foresee them. If a server's tokens differ in one of them, all its tokens are discarded.
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
"""Largest accepted deviation, which covers servers whose hardware rounds differently; see `deviation`."""

LOSSY_TOLERANCE = 0.2
"""Largest accepted deviation of tokens from a lossy codec, which may round to the neighbouring level."""


class IntegrityError(RuntimeError):
    """A server returned tokens that differ from those that the edge computes."""


@dataclass(frozen=True, kw_only=True)
class SentWindows:
    """A message with windows.

    Attributes:
        windows: Row and column of each window, in the order of the payload.
        payload: The payload before a codec encoded its pixels.
        codec: Label of the codec that encoded the pixels; "" for none.
    """

    server: int
    windows: Sequence[Window]
    payload: Payload
    codec: str
    operation: Operation
    arguments: Mapping[str, str]

    def tokens(
        self, windows: Collection[Window], networks: Networks, reply: str
    ) -> dict[Window, torch.Tensor]:
        """Compute the (window, window, C) tokens that an honest server returns for those windows that are in `windows`.

        Args:
            windows: The windows to check.
            networks: The edge's models.
            reply: Label of a lossy codec of the reply; "" for none. Its rounding of a window depends on all windows
                of the message.
        """
        rows = [row for row, window in enumerate(self.windows) if window in windows]
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
    """The choice of windows that the edge computes itself to check servers.

    Attributes:
        count: Number of windows per pass; all if servers return fewer.
        rng: Chooses the windows. By default it is seeded by the system's entropy, so that servers cannot foresee it.
            Benchmarks seed it from the suite, so that they can be repeated.
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
        """Find the servers that returned wrong tokens.

        Args:
            sent: All messages.
            returned: (window, window, C) tokens by window, without those of lost servers.
            networks: The edge's models.
            reply: Label of the codec that encoded the tokens; "" for none.

        Returns:
            An error for each such server, by its index.
        """
        lossy_codec = reply if reply and lossy({"tokens": reply}) else ""
        windows = sorted(returned)
        chosen = {windows[index] for index in self.rng.permutation(len(windows))[: self.count]}
        errors = {}
        for message in sent:
            for window, tokens in message.tokens(chosen, networks, lossy_codec).items():
                distance, tolerance = deviation(returned[window], tokens), tolerated(reply)
                # Negated, so that NaN fails as well.
                if not distance <= tolerance:
                    errors[message.server] = IntegrityError(
                        f"server {message.server} returned tokens of window {window} that deviate by "
                        f"{distance:.3g} from those computed here; the tolerance is {tolerance}"
                    )
        return errors


def tolerated(reply: str) -> float:
    """Return the largest accepted deviation of tokens encoded by the codec with this label; "" for no codec."""
    return LOSSY_TOLERANCE if reply and lossy({"tokens": reply}) else TOLERANCE


def deviation(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest distance of a token to the expected one, relative to the root mean square token length.

    Args:
        found: (..., C) tokens of one window.
        expected: The correct tokens, of the same shape.
    """
    expected = expected.to(found.device).float()
    distances = (found.float() - expected).norm(dim=-1)
    length = expected.norm(dim=-1).square().mean().sqrt()
    return float(distances.max() / length)


def detection(windows: int, wrong: int, checked: int) -> float:
    """Return the probability that a spot check finds at least one wrong window, drawing without replacement.

    Args:
        windows: Number of windows that servers return in a pass.
        wrong: Number of wrong windows among them.
        checked: Number of windows that the edge checks.

    Examples:
        >>> detection(20, 4, 1), detection(20, 4, 17), round(detection(20, 4, 3), 4)
        (0.2, 1.0, 0.5088)
    """
    checked = min(checked, windows)
    choices = comb(windows, checked)
    return (choices - comb(windows - wrong, checked)) / choices
