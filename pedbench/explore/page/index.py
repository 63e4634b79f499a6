"""The page itself: its head, what is shown while models load, and then a tab."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nicegui import Client, ui

from pedbench.explore.page.tab import Tab, sentence
from pedbench.explore.workshop import Workshop

_FOLDER = Path(__file__).parent

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 30 30'><rect width='30' height='30' rx='6' fill='#0b63b5'/>"
    "<path d='M6 6h7v7H6zM17 6h7v7h-7zM6 17h7v7H6z' fill='#fff'/>"
    "<path d='M17 17h7v7h-7z' fill='none' stroke='#fff' stroke-width='2' stroke-dasharray='2.5 2'/></svg>"
)


def add_page(workshop: Workshop) -> None:
    """Let NiceGUI show the explorer at `/`."""
    style = (_FOLDER / "explore.css").read_text(encoding="utf-8")
    script = (_FOLDER / "explore.js").read_text(encoding="utf-8")

    @ui.page("/", title="pedbench explore", favicon=ICON, dark=None)
    async def index(client: Client) -> None:
        ui.add_head_html(f"<style>{style}</style><script>{script}</script>")
        ui.colors(primary="#0b63b5")
        dark = ui.dark_mode(None)
        with ui.element("header").classes("top"):
            ui.html("<h1><span>pedbench</span> explore</h1>", sanitize=False)
            ui.html(
                "<p>What a privacy defense for offloaded vision keeps, and what it costs: one picture, three axes. "
                "Nothing leaves this machine.</p>",
                sanitize=False,
            )
            ui.button(icon="dark_mode", on_click=lambda: dark.set_value(not dark.value)).props(
                'flat round dense aria-label="light or dark"'
            )
        with ui.element("div").classes("body") as body:
            pass
        with ui.element("div").classes("loading") as loading:
            ui.spinner("grid", size="3rem")
            stage = ui.label(workshop.stage)
        await client.connected()
        while not workshop.loaded.done():
            stage.text = f"{workshop.stage} …"
            await asyncio.sleep(0.2)
        if error := workshop.loaded.exception():
            stage.text = sentence(error)
            return
        loading.delete()
        with body:
            tab = Tab(workshop)
        client.on_delete(tab.stop)
