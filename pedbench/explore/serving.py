"""The explorer's server: one page on one port, with nothing open that the page does not need."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

from pedbench.errors import PluginUnavailable
from pedbench.explore.guard import App, Guard
from pedbench.explore.workshop import Workshop
from pedbench.host.scratch import ScratchFolder
from pedbench.network.addresses import is_loopback

LIMIT = 33 * 2**20
"""Largest body of a request in bytes: a picture of 32 MiB, and the form around it."""


def application(workshop: Workshop) -> App:
    """Return the page as an ASGI application, not guarded yet. One process can have one.

    Raises:
        PluginUnavailable: NiceGUI is not installed.
    """
    # FastAPI would report requests to wherever the environment names a collector.
    os.environ["OTEL_SDK_DISABLED"] = "true"
    try:
        import nicegui
    except ImportError:
        raise PluginUnavailable(
            "the explorer needs NiceGUI, which is not installed: python -m pip install 'pedbench[explore]'"
        ) from None
    from fastapi import FastAPI
    from starlette.formparsers import MultiPartParser

    from pedbench.explore.page.index import add_page

    # Larger uploads would be spooled to a file with a name.
    MultiPartParser.spool_max_size = LIMIT
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_page(workshop)
    # Importing torch takes the interpreter from who asks for the page: the page comes first.
    nicegui.app.on_startup(workshop.load)
    nicegui.ui.run_with(
        app,
        title="pedbench explore",
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        message_history_length=100,
    )
    return app


def serve(
    workshop: Workshop,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    password: str | None = None,
    ready: Callable[[str], None],
) -> None:
    """Serve the page until the process is told to end.

    Args:
        host: Address to listen on.
        port: Port; 0 for a free one.
        password: Needed where others can reach the address.
        ready: Called with the address for the browser, once it can be opened.

    Raises:
        ValueError: The address is open to others and there is no password.
        PluginUnavailable: NiceGUI is not installed.
        OSError: The port is taken, or the host is not this machine's.
    """
    if not is_loopback(host) and not password:
        raise ValueError(f"--host {host} can be reached from other machines: give a --password, too.")
    with ScratchFolder("explore-page") as folder:
        # NiceGUI would read and write a folder where the command was started.
        os.environ["NICEGUI_STORAGE_PATH"] = folder
        app = application(workshop)
        import uvicorn

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as listening:
            port = listening.getsockname()[1]
            guard = Guard(app, port=port, host=host, password=password, limit=LIMIT)
            shown = f"[{host}]" if ":" in host else host
            config = uvicorn.Config(
                guard,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=2**20,
                timeout_graceful_shutdown=1,
            )
            server = uvicorn.Server(config)
            ready(f"http://{shown}:{port}/?token={guard.token}")
            try:
                with suppress(KeyboardInterrupt):
                    server.run(sockets=[listening])
            finally:
                workshop.close()
