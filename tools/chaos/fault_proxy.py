"""Relay between an edge and one server that records and corrupts bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Way = Literal["up", "down"]

FAULTS = ("cut", "slow", "drop", "truncate", "reorder", "duplicate", "corrupt")
"""Faults of relayed bytes."""

_CHUNK = 65536


@dataclass(kw_only=True)
class Fault:
    """One fault of one direction.

    Attributes:
        kind: One of `FAULTS`.
        way: Towards the server, or back.
        after: Bytes of that direction that still pass unharmed.
        seconds: Delay by `slow` of everything that follows.
    """

    kind: str
    way: Way
    after: int
    seconds: float = 0.0


@dataclass(kw_only=True)
class FaultProxy:
    """Relay of connections to one target.

    Attributes:
        host, port: Address of the target.
        keep: Whether to keep all relayed bytes.
        up, down: Relayed bytes by connection.
    """

    host: str
    port: int
    keep: bool = False
    up: list[bytearray] = field(default_factory=list)
    down: list[bytearray] = field(default_factory=list)
    _fault: Fault | None = None
    _struck: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Address for edges, as HOST:PORT."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def struck(self) -> bool:
        """Whether the fault has struck."""
        return self._struck

    def arm(self, fault: Fault | None) -> None:
        """Set the fault of the bytes from now on; None for no fault."""
        with self._lock:
            self._fault, self._struck = fault, False

    def close(self) -> None:
        """Close the listener and all connections."""
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End all connections, and forget the fault."""
        self.arm(None)
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            _shut(end)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                edge, _ = self._listener.accept()
                try:
                    server = socket.create_connection((self.host, self.port))
                except OSError:
                    edge.close()
                    continue
                with self._lock:
                    self._open += [edge, server]
                    for kept in (self.up, self.down):
                        kept.append(bytearray())
                number = len(self.up) - 1
                ways: list[tuple[socket.socket, socket.socket, Way]] = [
                    (edge, server, "up"),
                    (server, edge, "down"),
                ]
                for source, target, way in ways:
                    arguments = (source, target, way, number)
                    threading.Thread(target=self._relay, args=arguments, daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, way: Way, number: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if self.keep:
                    (self.up if way == "up" else self.down)[number].extend(data)
                for part in self._faulty(data, way):
                    target.sendall(part)
        _shut(source)
        _shut(target)

    def _faulty(self, data: bytes, way: Way) -> Iterator[bytes]:
        """Yield the parts to relay instead of some bytes.

        Raises:
            OSError: The connection ends here.
        """
        with self._lock:
            fault = self._fault
            if fault is None or fault.way != way:
                whole = True
            else:
                whole = fault.after >= len(data)
                place = fault.after
                fault.after = max(0, fault.after - len(data))
                self._struck = self._struck or not whole
        if whole or fault is None:
            yield data
            return
        before, after = data[:place], data[place:]
        match fault.kind:
            case "slow":
                yield before
                time.sleep(fault.seconds)
                yield after
            case "drop":
                # Later bytes are dropped too: the connection stays open and silent.
                yield before
            case "cut":
                raise ConnectionResetError
            case "truncate":
                yield before + after[: len(after) // 2]
                raise ConnectionResetError
            case "corrupt":
                self._once()
                yield before + bytes([after[0] ^ 0x10]) + after[1:]
            case "duplicate":
                self._once()
                yield before + after + after
            case "reorder":
                self._once()
                middle = len(after) // 2
                yield before + after[middle:] + after[:middle]
            case _:
                raise ValueError(f"there is no fault {fault.kind!r}")

    def _once(self) -> None:
        with self._lock:
            self._fault = None


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
