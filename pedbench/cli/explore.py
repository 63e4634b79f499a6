"""`pedbench explore`: look at defenses and attacks in the browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pedbench.cli import options


def explore(
    pictures: Annotated[list[Path] | None, typer.Argument(help="Pictures to choose from.")] = None,
    model: Annotated[str, typer.Option(help="Model family.")] = "mini",
    device: Annotated[str, typer.Option(help="Where models compute: cpu, cuda, mps, or auto.")] = "cpu",
    plugin: options.Plugins = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; by default a free one.")] = 0,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="PEDBENCH_EXPLORE_PASSWORD",
            help="Lets in other machines; --host needs it. The environment variable shows in no list of processes.",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the address in the browser.")] = True,
) -> None:
    """Look at one picture under a defense in the browser.

    The page shows masks, what servers hold, guesses, and times.
    """
    for picture in pictures or ():
        if not picture.is_file():
            raise ValueError(
                f"{picture}: there is no such file. Name pictures, or none and drop them on the page."
            )
    from pedbench.errors import PluginUnavailable
    from pedbench.explore.serving import serve
    from pedbench.explore.workshop import Workshop

    def ready(address: str) -> None:
        print(f"pedbench explore at {address}\nCtrl+C ends it.", flush=True)
        if browser:
            webbrowser.open(address)

    workshop = Workshop(files=pictures or (), model=model, device=device, plugins=plugin or ())
    try:
        serve(workshop, host=host, port=port, password=password, ready=ready)
    except PluginUnavailable as error:
        workshop.close()
        raise ValueError(str(error)) from None
