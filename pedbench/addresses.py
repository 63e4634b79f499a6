"""Addresses of servers, as people type them."""

from __future__ import annotations

import ipaddress


def parse_address(text: str, option: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Args:
        text: A name, an IPv4 address, or an IPv6 address in brackets, with a port.
        option: Where it was typed, for the message.

    Returns:
        The host without brackets, and the port.

    Raises:
        ValueError: It is something else.

    Examples:
        >>> parse_address("jetson.local:50051", "--servers"), parse_address("[::1]:0", "--bind")
        (('jetson.local', 50051), ('::1', 0))
    """
    host, colon, port = text.strip().rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host.startswith("[") and host.endswith("]")
    number = int(port) if port.isascii() and port.isdecimal() else -1
    if not (colon and bare and 0 <= number < 65536) or (":" in bare) != bracketed or "/" in bare:
        raise ValueError(f"{option}: expected HOST:PORT, such as 192.168.1.20:50051, found {text!r}.")
    return bare, number


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
