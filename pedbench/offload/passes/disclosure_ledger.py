"""Disclosure ledger: counts the content that each server gets of a frame, and refuses to send too much.

It is the only place that lets content leave the edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pedbench.base import Networks, Operation
from pedbench.errors import AuditError, DisclosureError
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.observation import observe
from pedbench.offload.operations.payload_fields import places
from pedbench.pictures.regions import rectangles
from pedbench.pictures.windows import Tile
from pedbench.types import Mask, Payload, Received

_BY_WINDOWS = ("encode_windows", "encode_window_tokens", "start_windows", "run_blocks")
_BY_FRAME = ("encode_image", "finish_blocks")


@dataclass(kw_only=True)
class Session:
    """Several passes over frames of one camera, all of the same size.

    Attributes:
        max_share: Largest share of the frame's pixel positions that one server may see in all passes together.
    """

    max_share: float = 1.0
    _seen: dict[int, Mask] = field(default_factory=dict)

    def seen(self, server: int, frame: tuple[int, int]) -> Mask:
        """Return the (H, W) mask of positions that a server has seen. The caller may add to it.

        Raises:
            DisclosureError: The session's frames have another size, so that positions cannot be compared.
        """
        mask = self._seen.setdefault(server, np.zeros(frame, np.bool_))
        if mask.shape != frame:
            raise DisclosureError(
                f"the session is over frames of {mask.shape} pixels, found one of {frame}; nothing was sent"
            )
        return mask


@dataclass(kw_only=True)
class Ledger:
    """The number of pixels of content that each server got of one frame.

    Content is counted in pixels of the frame that it covers. Pixels and tokens of the patch embedding count in every
    message, because each may say something new. Deeper tokens, and the content of plugins' own operations, count only
    at positions of which the server has nothing yet. Content whose position is unknown counts as the whole frame.

    Attributes:
        frame: Height and width of the frame in pixels.
        networks: The edge's models.
        operations: The known operations by name.
        max_share: Largest share of the frame's pixels that one server may get.
        session: The session of the frame, with its own limit.
    """

    frame: tuple[int, int]
    networks: Networks
    operations: Mapping[str, Operation]
    max_share: float
    session: Session = field(default_factory=Session)
    _pixels: Counter[int] = field(default_factory=Counter)
    _covered: dict[int, Mask] = field(default_factory=dict)

    @property
    def pixels(self) -> Mapping[int, int]:
        """Pixels of content by server, for servers that have some."""
        return {server: count for server, count in self._pixels.items() if count}

    def check_plan(self, pixels: Mapping[int, int]) -> None:
        """Check a plan before any part of it is sent.

        Args:
            pixels: Additional pixels for each server.

        Raises:
            DisclosureError: A server would get more than it may.
        """
        for server, count in pixels.items():
            self._check(server, self._pixels[server] + count, self.max_share, "of the frame")

    def admit(self, messages: Sequence[tuple[int, str, Mapping[str, str], Payload]]) -> None:
        """Count the content of messages that are about to be sent, each to a different server.

        Args:
            messages: Server, operation, arguments and arrays of each message.

        Raises:
            DisclosureError: A server would get more than it may; no message was counted.
        """
        admitted: list[tuple[int, int, list[Tile]]] = []
        for server, operation, arguments, payload in messages:
            tiles, always_counts, unknown = self._content(operation, arguments, payload)
            covered = self._covered.setdefault(server, np.zeros(self.frame, np.bool_))
            seen = self.session.seen(server, self.frame)
            count = sum(tile.area if always_counts else _missing(covered, tile) for tile in tiles)
            self._check(server, self._pixels[server] + count, self.max_share, "of the frame", unknown)
            seen_count = int(seen.sum()) + sum(_missing(seen, tile) for tile in tiles)
            self._check(server, seen_count, self.session.max_share, "of what the session shows")
            admitted.append((server, count, tiles))
        for server, count, tiles in admitted:
            self._pixels[server] += count
            for tile in tiles:
                self._covered[server][tile.slices] = True
                self.session.seen(server, self.frame)[tile.slices] = True

    def compare(self, received: Iterable[Received], lost: Iterable[int]) -> None:
        """Count what the servers received, and compare it with what this ledger counted before sending.

        Args:
            received: All messages of the pass. A server with a message that no schema explains is not compared: it
                counts as having the whole frame anyway.
            lost: Servers whose wiretaps are missing.

        Raises:
            DisclosureError: A server got more than it may.
            AuditError: A server got content that was not counted, or less than was counted.
        """
        recount = replace(self, session=Session(), _pixels=Counter(), _covered={})
        excluded = set(lost)
        for message in received:
            if message.payload is None:
                excluded.add(message.server)
            else:
                recount.admit([(message.server, message.operation, message.arguments, message.payload)])
        for server in sorted({*self.pixels, *recount.pixels} - excluded):
            if self._pixels[server] != recount._pixels[server]:
                raise AuditError(
                    f"server {server} has {recount._pixels[server]} pixels of content, the edge gave it "
                    f"{self._pixels[server]}"
                )

    def _check(self, server: int, count: int, bound: float, whole: str, unknown: str = "") -> None:
        area = self.frame[0] * self.frame[1]
        if count > bound * area + 0.5:
            raise DisclosureError(
                f"server {server} would get {count / area:.1%} {whole}, the defense may give {bound:.1%}; "
                f"nothing was sent{unknown and f'. A message counts as the whole frame: {unknown}'}"
            )

    def _content(
        self, operation: str, arguments: Mapping[str, str], payload: Payload
    ) -> tuple[list[Tile], bool, str]:
        """Return the part of the frame that a message covers, and whether it counts where the server has content.

        The third value says why the content is unknown, so that it counts as the whole frame; empty if it is known.
        """
        whole = [Tile(0, 0, *self.frame)]
        always_counts = arguments.get("first", "0") == "0"
        if operation in _BY_FRAME:
            return whole, always_counts, ""
        try:
            if operation not in _BY_WINDOWS:
                return self._shown(operation, arguments, payload), False, ""
            grid = window_grid(self.networks.network(arguments["weights"]).image_encoder)
            tiles = [grid.tile(window, self.frame) for window in places(payload, grid)[0]]
            return tiles, always_counts, ""
        except Exception as error:
            return whole, always_counts, str(error)

    def _shown(self, operation: str, arguments: Mapping[str, str], payload: Payload) -> list[Tile]:
        """Return the part of the frame that a message of a plugin's own operation covers.

        Raises:
            ValueError: The operation does not explain all bytes.
        """
        message = Received(
            server=0,
            operation=operation,
            request=0,
            sequence=0,
            payload=payload,
            arguments=arguments,
            unexplained="",
            bytes_in=0,
            bytes_out=0,
            received=0.0,
        )
        (seen,) = observe([message], self.operations, self.networks, self.frame)
        if seen.problem:
            raise ValueError(seen.problem)
        return rectangles(seen.footprint(self.frame))


def _missing(covered: Mask, tile: Tile) -> int:
    part = covered[tile.slices]
    return int(part.size - part.sum())
