"""The three columns of the page, one an axis: utility, privacy and latency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from nicegui import events, ui

from pedbench.explore.page import drawing

if TYPE_CHECKING:
    from pedbench.explore.attackers import Guess
    from pedbench.explore.exploration import Exploration
    from pedbench.explore.trial import Prompt, Trial
    from pedbench.explore.workshop import Workshop
    from pedbench.offload.passes.call import Pending

_DRAGGED = 6
"""Pixels of a picture of 320 px from which a movement is a box."""


def axis(name: str, says: str, kind: str) -> ui.element:
    """Return a card of the page with its heading."""
    card = ui.element("section").classes(f"axis {kind}")
    with card:
        ui.html(f"<h2>{name}</h2><p>{says}</p>", sanitize=False).classes("head")
    return card


def _figure(caption: str, kind: str, **settings: object) -> tuple[ui.interactive_image, ui.html]:
    with ui.element("figure").classes(kind):
        # The overlays are the page's own.
        image = ui.interactive_image(sanitize=False, **settings)  # type: ignore[arg-type]
        return image, ui.html(caption, sanitize=False).classes("caption")


class Utility:
    """The masks of the undefended model and of the defense, for a click or a box.

    Args:
        point: Called with a click or a box.
    """

    def __init__(self, exploration: Exploration, point: Callable[[Prompt], Awaitable[None]]) -> None:
        self._exploration, self._point = exploration, point
        self._from: tuple[float, float] | None = None
        with axis("Utility", "Click an object or drag a box: the mask that the user gets.", "utility"):
            mouse = {"events": ["mousedown", "mouseup"], "on_mouse": self._mouse}
            self._undefended, self._first = _figure("undefended model", "prompted", **mouse)
            self._defended, self._second = _figure("with the defense", "prompted defended", **mouse)
            self._status = ui.label().classes("said")

    def picture(self) -> None:
        """Show the picture without masks."""
        sample = self._exploration.sample
        if sample is None:
            return
        uri = drawing.picture_uri(sample.image)
        for image in (self._undefended, self._defended):
            image.set_source(uri)
            image.content = ""
        self.say("")

    def masks(self) -> None:
        """Show what both models make of the prompt."""
        exploration = self._exploration
        masks, sample, prompt = exploration.masks, exploration.sample, exploration.prompt
        if masks is None or sample is None or prompt is None:
            return
        self.say("")
        height, width = sample.image.shape[:2]
        # What is shown may be a smaller copy.
        scale = min(1.0, drawing.LARGEST / max(height, width))
        mark = drawing.prompt_svg(prompt, max(height, width))

        def overlay(parts: str) -> str:
            return f'<g transform="scale({scale})">{parts}{mark}</g>'

        self._undefended.content = overlay(drawing.mask_svg(masks.undefended, drawing.UNDEFENDED))
        shown = "" if masks.defended is None else drawing.mask_svg(masks.defended, drawing.DEFENDED)
        self._defended.content = overlay(shown)
        name = f" of <em>{escape(masks.truth.category)}</em>" if masks.truth else ""
        scores = [f"IoU <b>{score:.3f}</b>{name}" for score in masks.scores]
        self._first.content = " · ".join(["undefended model", *scores[:1]])
        agreement = [] if masks.agreement is None else [f"agreement <b>{masks.agreement:.3f}</b>"]
        label = exploration.defense.name if masks.defended is not None else "waiting for the defense"
        self._second.content = " · ".join([f"<code>{escape(label)}</code>", *scores[1:], *agreement])

    def say(self, text: str) -> None:
        """Show what went wrong."""
        self._status.text = text

    async def _mouse(self, event: events.MouseEventArguments) -> None:
        sample = self._exploration.sample
        if sample is None:
            return
        height, width = sample.image.shape[:2]
        scale = max(1.0, max(height, width) / drawing.LARGEST)
        x = min(max(0.0, event.image_x * scale), width - 1.0)
        y = min(max(0.0, event.image_y * scale), height - 1.0)
        if event.type == "mousedown":
            self._from = (x, y)
        elif self._from is not None:
            (left, top), self._from = self._from, None
            far = max(abs(x - left), abs(y - top)) > _DRAGGED * max(height, width) / 320
            flat = min(abs(x - left), abs(y - top)) < 1
            box = (min(x, left), min(y, top), max(x, left), max(y, top))
            await self._point(box if far and not flat else (x, y))


class Privacy:
    """The view of a coalition, and the guess that an attack makes of it.

    Args:
        toggle: Called with a server that joins or leaves.
    """

    def __init__(self, exploration: Exploration, toggle: Callable[[int], Awaitable[None]]) -> None:
        self._exploration, self._toggle = exploration, toggle
        with axis("Privacy", "Click servers to let them pool what they received.", "privacy"):
            self._received, self._share = _figure("", "held", events=["click"], on_mouse=self._click)
            self._chips = ui.element("div").classes("chips")
            self._servers: list[ui.element] = []
            self._guessed, self._caption = _figure("", "guessed")

    def clear(self) -> None:
        """Show nothing, while there is no pass."""
        self._received.set_source("")
        self._received.content, self._share.content = "", ""
        self._chips.clear()
        self._servers = []
        self.unguessed()

    def show(self) -> None:
        """Show what the coalition holds, and who is in it."""
        exploration = self._exploration
        trial, coalition = exploration.trial, exploration.coalition
        if trial is None:
            return
        servers = trial.plan.defense.servers
        self._received.set_source(drawing.picture_uri(drawing.held_picture(trial, coalition)))
        self._received.content = drawing.grid_svg(trial, coalition)
        shares, pooled = trial.shares(), trial.pool(coalition)
        content, exact = pooled.footprint.mean(), pooled.visible.mean()
        self._share.content = (
            f"<b>{len(coalition)}</b> of {servers} servers hold <b>{content:.0%}</b> of the picture, "
            f"<b>{exact:.0%}</b> exactly"
            if servers
            else "no server receives anything"
        )
        if len(self._servers) != servers:
            self._chips.clear()
            with self._chips:
                self._servers = [self._chip(server) for server in range(servers)]
        for server, chip in enumerate(self._servers):
            chosen = server in coalition
            chip.classes(add="in") if chosen else chip.classes(remove="in")
            pressed = "true" if chosen else "false"
            chip.props(
                f'aria-pressed={pressed} title="server {server + 1}: {shares[server]:.0%} of the picture"'
            )

    def unguessed(self) -> None:
        """Show that there is no guess of what is chosen now."""
        self._guessed.set_source("")
        self._caption.content = f"no guess of <code>{escape(self._exploration.attack.name)}</code> yet"

    def guessed(self, guess: Guess) -> None:
        """Show a guess."""
        self._guessed.set_source(drawing.picture_uri(guess.picture))
        self._caption.content = (
            f"guess of <code>{escape(guess.label)}</code> in {drawing.duration(guess.seconds)}"
        )

    def _chip(self, server: int) -> ui.element:
        chip = ui.element("button").classes("chip").style(f"--server: {drawing.server_colour(server)}")
        chip.on("click", lambda: self._toggle(server))
        with chip:
            ui.label(str(server + 1))
        return chip

    async def _click(self, event: events.MouseEventArguments) -> None:
        trial = self._exploration.trial
        if trial is not None and (servers := drawing.servers_at(trial, event.image_x, event.image_y)):
            await self._toggle(servers[0])


class Latency:
    """The times of edge, link and servers, and how many bytes went over the link."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        with axis("Latency", "A real pass: edge, link and server processes on one clock.", "latency"):
            self._tiles = ui.html("", sanitize=False).classes("tiles")
            self._gantt = ui.html("", sanitize=False)
            self._status = ui.label().classes("said")

    def live(self, ahead: int, pending: Sequence[Pending], seconds: float) -> None:
        """Show the calls of a pass that is under way."""
        self._status.classes(remove="failed")
        from pedbench.offload.passes.timeline import pending_timeline

        if not pending:
            queue = f"{ahead} ahead in the queue" if ahead else "Starting servers"
            self._status.text = f"{self._workshop.stage or queue}: {seconds:.0f} s" if seconds > 0.5 else ""
            return
        self._status.text = ""
        spans = pending_timeline(pending)
        servers = 1 + max(span.server or 0 for span in spans)
        self._gantt.content = drawing.gantt_html(spans, servers, max(span.stop for span in spans) or 1e-3)

    def show(self, trial: Trial) -> None:
        """Show a pass that is over."""
        from pedbench.offload.passes.timeline import timeline

        done, servers = trial.done, trial.plan.defense.servers
        times = done.times()
        up, down = (
            sum(sizes)
            for sizes in ([e.bytes_up for e in done.exchanges], [e.bytes_down for e in done.exchanges])
        )
        tiles = {
            "pass": drawing.duration(times.total),
            "edge": drawing.duration(times.prepare + times.edge),
            "servers": drawing.duration(times.server),
            "link": drawing.duration(times.uplink + times.downlink),
            "sent": drawing.amount(up),
            "received": drawing.amount(down),
        }
        self._tiles.content = "".join(
            f"<div><b>{value}</b><span>{name}</span></div>" for name, value in tiles.items()
        )
        spans = timeline(done.rounds, done.clock)
        self._gantt.content = drawing.gantt_html(spans, servers, done.clock.stop - done.clock.start)
        self._status.text = ""

    def say(self, text: str) -> None:
        """Show what went wrong."""
        self._status.classes("failed")
        self._tiles.content = self._gantt.content = ""
        self._status.text = text
