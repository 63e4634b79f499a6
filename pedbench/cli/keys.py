"""`pedbench keys`: make certificates for an edge and its servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def make_keys(
    folder: Annotated[Path, typer.Argument(help="Folder to write one subfolder per machine to.")],
    server: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME,ADDRESS,...: how the edge reaches one server; the first names its folder. Repeatable."
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="Validity of the certificates in days.")] = 90,
) -> None:
    """Make certificates for an edge and its servers.

    A private authority signs them. Copy FOLDER/edge to the edge and FOLDER/NAME to that server. Keep FOLDER/authority
    here: whoever has it can make further certificates. Later calls add servers to the same authority.
    """
    from pedbench.network import certificates

    hosts = [[host.strip() for host in each.split(",")] for each in server or ()]
    for new_folder in certificates.make_keys(folder, hosts, days):
        print(new_folder)
