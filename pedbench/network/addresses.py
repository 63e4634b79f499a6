"""Addresses of servers, as people type them."""

from __future__ import annotations

import ipaddress
from pathlib import Path


def parse_address(text: str, option: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Args:
        text: A name, an IPv4 address, or an IPv6 address in brackets, with a port.
        option: The command-line option, for the message.

    Returns:
        The host without brackets, and the port.

    Raises:
        ValueError: The text is not HOST:PORT.

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


def refuse_plain(text: str, option: str, keys: Path | None) -> tuple[str, int]:
    """Read HOST:PORT, and refuse a host beyond this machine without TLS.

    Args:
        text: See `parse_address`.
        option: The command-line option, for the message.
        keys: Folder of the certificates for TLS.

    Raises:
        ValueError: The text is not HOST:PORT, or the host is beyond this machine and there are no keys.
    """
    host, port = parse_address(text, option)
    if keys is None and not is_loopback(host):
        raise ValueError(
            f"{option}: {host} is beyond this machine, and without TLS whoever shares the network can read the "
            "pictures: give --keys with a folder of `pedbench keys`, or go through an SSH tunnel to 127.0.0.1."
        )
    return host, port


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach a server that listens on a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
