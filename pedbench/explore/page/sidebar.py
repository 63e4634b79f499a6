"""The left side of the page: pictures, defense, attack, and the way to a suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from nicegui import events, ui

from pedbench.explore.page.drawing import thumbnail_uri
from pedbench.explore.page.settings import PluginSettings
from pedbench.explore.questions import SUITE_FILE

if TYPE_CHECKING:
    from pedbench.explore.exploration import Exploration
    from pedbench.suites.choices import Choice
    from pedbench.types import Sample


class Sidebar:
    """The choices of a tab.

    Args:
        show: Called with a picture to look at.
        upload: Called with a file that was dropped.
        defend: Called with a defense and its parameters.
        run: Called when the link has changed.
    """

    def __init__(
        self,
        exploration: Exploration,
        *,
        show: Callable[[Sample], Awaitable[None]],
        upload: Callable[[events.UploadEventArguments], Awaitable[None]],
        defend: Callable[[Choice], None],
        run: Callable[[], Awaitable[None]],
    ) -> None:
        from pedbench.explore.pictures import MAX_BYTES
        from pedbench.network.links import NETWORK, links

        self._exploration, self._show, self._run = exploration, show, run
        self._pictures: dict[str, ui.element] = {}
        with ui.element("div").classes("side"):
            with ui.element("section"):
                ui.html("<h2><b>1</b> Picture</h2>", sanitize=False)
                with ui.element("div").classes("pictures") as self._shelf:
                    for sample in exploration.workshop.samples:
                        self.add(sample)
                self._upload = (
                    ui.upload(
                        label="Drop a photograph here, or choose one",
                        auto_upload=True,
                        max_files=1,
                        max_file_size=MAX_BYTES,
                        on_upload=upload,
                        on_rejected=lambda: self.say(
                            f"At most {MAX_BYTES >> 20} MiB, and one picture at a time."
                        ),
                    )
                    .props("flat bordered accept=image/*")
                    .classes("drop")
                )
                self._status = ui.label().classes("said")
            with ui.element("section"):
                ui.html("<h2><b>2</b> Defense</h2>", sanitize=False)
                PluginSettings(exploration.workshop, "defenses", exploration.defense.name, defend)
                ui.select(
                    [name for name in links() if name != NETWORK],
                    value=exploration.link,
                    label="link between edge and servers",
                    on_change=lambda event: self._link(event.value),
                ).props("dense outlined options-dense").classes("link")
            ui.button("Copy as suite", icon="content_copy", on_click=self._suite).props(
                "no-caps outline"
            ).classes("suite")

    def add(self, sample: Sample) -> None:
        """Put a picture on the shelf."""
        with self._shelf:
            tile = ui.element("button").classes("tile").props(f'title="{len(self._pictures) + 1}"')
            tile.on("click", lambda: self._show(sample))
            with tile:
                ui.element("img").props(f'src="{thumbnail_uri(sample.image)}" alt="picture"')
        self._pictures[sample.id] = tile
        self._shelf.update()

    def mark(self, sample: Sample) -> None:
        """Mark the picture that is looked at."""
        for name, tile in self._pictures.items():
            tile.classes(add="chosen") if name == sample.id else tile.classes(remove="chosen")

    def say(self, text: str) -> None:
        """Show why a picture was not taken."""
        self._status.text = text
        self._upload.reset()

    async def _link(self, name: str) -> None:
        self._exploration.link = name
        await self._run()

    def _suite(self) -> None:
        try:
            toml, command = self._exploration.suite()
        except ValueError as error:
            self.say(str(error))
            return
        with ui.dialog() as dialog, ui.card().classes("copied"):
            ui.label(f"Save this as {SUITE_FILE}: it measures what is on the page over many pictures.")
            ui.textarea(value=toml).props("readonly outlined autogrow").classes("toml")
            ui.label("Then run:")
            ui.input(value=command).props("readonly outlined dense").classes("command")
            with ui.row():
                ui.button("Copy suite", on_click=lambda: ui.clipboard.write(toml)).props("no-caps")
                ui.button("Copy command", on_click=lambda: ui.clipboard.write(command)).props(
                    "no-caps outline"
                )
                ui.button("Close", on_click=dialog.close).props("no-caps flat")
        dialog.on("hide", dialog.delete)
        dialog.open()
