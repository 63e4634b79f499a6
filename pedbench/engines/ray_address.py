"""Addresses of Ray clusters."""

from __future__ import annotations

import socket

from pedbench.engines.jobs import EngineError

CONNECT_TIMEOUT = 30.0
"""Seconds that a cluster's address may take to answer."""


def check_reachable(address: str) -> None:
    """Raise if nobody listens at HOST:PORT; Ray itself tries for minutes. Other addresses are Ray's to resolve.

    Raises:
        EngineError: Nobody answers within `CONNECT_TIMEOUT`.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise EngineError(
            f"there is no Ray cluster at {address}: {error}. Start one there with `ray start --head`."
        ) from None
