"""What every server holds of a frame: the one place that lets content leave the edge, and refuses what is too much."""

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
from pedbench.pictures.windows import Tile
from pedbench.types import Mask, Payload, Received

_BY_WINDOWS = ("encode_windows", "encode_window_tokens", "start_windows", "run_blocks")
_BY_FRAME = ("encode_image", "finish_blocks")


@dataclass(kw_only=True)
class Session:
    """Several passes over what one camera sees: their frames are of one size.

    Attributes:
        max_share: The largest share of the frame's places that one server may see in all of them together.
    """

    max_share: float = 1.0
    _seen: dict[int, Mask] = field(default_factory=dict)

    def seen(self, server: int, frame: tuple[int, int]) -> Mask:
        """The places that a server has seen, which the caller may add to.

        Raises:
            DisclosureError: The session's frames are of another size, so that places cannot be compared.
        """
        found = self._seen.setdefault(server, np.zeros(frame, np.bool_))
        if found.shape != frame:
            raise DisclosureError(
                f"the session is over frames of {found.shape} pixels, found one of {frame}; nothing was sent"
            )
        return found


@dataclass(kw_only=True)
class Ledger:
    """What every server was given of one frame.

    Content counts by its place. Pixels and tokens of the patch embedding count anew in each message, as they may say
    something new; deeper tokens, and what plugins' own operations show, count where the server had nothing yet.
    Whatever cannot be told counts as the whole frame.

    Attributes:
        frame: Height and width of the frame.
        networks: The edge's models.
        operations: The known operations by name.
        max_share: The largest share of the frame's pixels that one server may get.
        session: What the frame belongs to.
    """

    frame: tuple[int, int]
    networks: Networks
    operations: Mapping[str, Operation]
    max_share: float
    session: Session = field(default_factory=Session)
    _given: Counter[int] = field(default_factory=Counter)
    _held: dict[int, Mask] = field(default_factory=dict)

    @property
    def given(self) -> Mapping[int, int]:
        """Pixels of content by server."""
        return {server: count for server, count in self._given.items() if count}

    def foresee(self, pixels: Mapping[int, int]) -> None:
        """Refuse a plan, before any part of it is sent.

        Args:
            pixels: How many more each server is to get.

        Raises:
            DisclosureError: One would then have more than it may.
        """
        for server, count in pixels.items():
            self._check(server, self._given[server] + count, self.max_share, "of the frame")

    def admit(self, messages: Sequence[tuple[int, str, Mapping[str, str], Payload]]) -> None:
        """Note content that is about to be sent, each to another server.

        Args:
            messages: Server, operation, arguments and arrays.

        Raises:
            DisclosureError: A server would then have more than it may; nothing was noted.
        """
        noted: list[tuple[int, int, list[Tile]]] = []
        for server, operation, arguments, payload in messages:
            tiles, anew = self._content(operation, arguments, payload)
            held = self._held.setdefault(server, np.zeros(self.frame, np.bool_))
            seen = self.session.seen(server, self.frame)
            count = sum(tile.area if anew else _missing(held, tile) for tile in tiles)
            self._check(server, self._given[server] + count, self.max_share, "of the frame")
            places_seen = int(seen.sum()) + sum(_missing(seen, tile) for tile in tiles)
            self._check(server, places_seen, self.session.max_share, "of what the session shows")
            noted.append((server, count, tiles))
        for server, count, tiles in noted:
            self._given[server] += count
            for tile in tiles:
                self._held[server][tile.slices] = True
                self.session.seen(server, self.frame)[tile.slices] = True

    def compare(self, received: Iterable[Received], lost: Iterable[int]) -> None:
        """Count anew by what the servers received, whatever was noted here.

        Args:
            received: All messages of the pass; servers with one that no schema explains are left out, as they count as
                having the whole frame anyway.
            lost: Servers whose wiretaps are not to be had.

        Raises:
            DisclosureError: A server has more than it may.
            AuditError: It has something else than it was given.
        """
        again = replace(self, session=Session(), _given=Counter(), _held={})
        left_out = set(lost)
        for message in received:
            if message.payload is None:
                left_out.add(message.server)
            else:
                again.admit([(message.server, message.operation, message.arguments, message.payload)])
        for server in sorted({*self.given, *again.given} - left_out):
            if self._given[server] != again._given[server]:
                raise AuditError(
                    f"server {server} has {again._given[server]} pixels of content, the edge gave it "
                    f"{self._given[server]}"
                )

    def _check(self, server: int, count: int, bound: float, what: str) -> None:
        whole = self.frame[0] * self.frame[1]
        if count > bound * whole + 0.5:
            raise DisclosureError(
                f"server {server} would get {count / whole:.1%} {what}, the defense may give {bound:.1%}; "
                "nothing was sent"
            )

    def _content(
        self, operation: str, arguments: Mapping[str, str], payload: Payload
    ) -> tuple[list[Tile], bool]:
        """Where a message's content belongs in the frame, and whether it counts anew at places that are known."""
        whole = [Tile(0, 0, *self.frame)]
        anew = arguments.get("first", "0") == "0"
        if operation in _BY_FRAME:
            return whole, anew
        try:
            if operation not in _BY_WINDOWS:
                return self._shown(operation, arguments, payload), False
            grid = window_grid(self.networks.network(arguments["weights"]).image_encoder)
            return [grid.tile(window, self.frame) for window in places(payload, grid)[0]], anew
        # However it fails: what cannot be told may be anything.
        except Exception:
            return whole, anew

    def _shown(self, operation: str, arguments: Mapping[str, str], payload: Payload) -> list[Tile]:
        """Where a plugin's own operation says that its content belongs.

        Raises:
            ValueError: It does not explain all of it.
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
        rows = seen.footprint(self.frame)
        # Row by row, as its content may have any outline.
        edges = np.diff(rows.astype(np.int8), axis=1, prepend=0, append=0)
        return [
            Tile(row, left, row + 1, right)
            for row in np.flatnonzero(rows.any(axis=1)).tolist()
            for left, right in zip(
                np.flatnonzero(edges[row] == 1).tolist(),
                np.flatnonzero(edges[row] == -1).tolist(),
                strict=True,
            )
        ]


def _missing(held: Mask, tile: Tile) -> int:
    part = held[tile.slices]
    return int(part.size - part.sum())
