"""`pedbench keys`: certificates for an edge and its servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def make_keys(
    folder: Annotated[Path, typer.Argument(help="Gets a folder for each machine.")],
    server: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME,ADDRESS,...: how the edge reaches one server; the first names its folder. Repeatable."
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="Until the certificates expire.")] = 90,
) -> None:
    """Make certificates for an edge and its servers.

    A private authority signs them.
    FOLDER/edge belongs on the edge, FOLDER/NAME on that server, FOLDER/authority nowhere else: who has it can let
    others in. Later calls add servers to the same authority.
    """
    from pedbench.network import certificates

    hosts = [[host.strip() for host in each.split(",")] for each in server or ()]
    for made in certificates.make_keys(folder, hosts, days):
        print(made)
