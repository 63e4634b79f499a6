"""The three columns of the page, one an axis: utility, privacy and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from nicegui import events, ui

from pedbench.explore.page import drawing

if TYPE_CHECKING:
    from pedbench.explore.attackers import Guess, Words
    from pedbench.explore.page.tab import Tab
    from pedbench.explore.trial import Trial
    from pedbench.offload.passes.call import Pending

_DRAGGED = 6
"""Pixels of a picture of 320 px from which a movement is a box."""


def _column(name: str, says: str, kind: str) -> ui.element:
    column = ui.element("section").classes(f"axis {kind}")
    with column:
        ui.html(f"<h2>{name}</h2><p>{says}</p>", sanitize=False).classes("head")
    return column


def _figure(caption: str, kind: str, **settings: object) -> tuple[ui.interactive_image, ui.html]:
    with ui.element("figure").classes(kind):
        # The overlays are the page's own.
        image = ui.interactive_image(sanitize=False, **settings)  # type: ignore[arg-type]
        return image, ui.html(caption, sanitize=False).classes("caption")


class Utility:
    """The masks of the undefended model and of the defense, for a click or a box."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._from: tuple[float, float] | None = None
        with _column("Utility", "Click an object or drag a box: the mask that the user gets.", "utility"):
            mouse = {"events": ["mousedown", "mouseup"], "on_mouse": self._mouse}
            self._undefended, self._first = _figure("undefended model", "prompted", **mouse)
            self._defended, self._second = _figure("with the defense", "prompted defended", **mouse)
            self._said = ui.label().classes("said")

    def picture(self) -> None:
        """Show the picture without masks."""
        sample = self._tab.exploration.sample
        if sample is None:
            return
        uri = drawing.picture_uri(sample.image)
        for image in (self._undefended, self._defended):
            image.set_source(uri)
            image.content = ""
        self.say("")

    def masks(self) -> None:
        """Show what both models make of the prompt."""
        exploration = self._tab.exploration
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
        self._said.text = text

    async def _mouse(self, event: events.MouseEventArguments) -> None:
        sample = self._tab.exploration.sample
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
            await self._tab.point(box if far and not flat else (x, y))


class Privacy:
    """What a coalition holds, and what an attack makes of it."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        with _column("Privacy", "Click servers to let them pool what they received.", "privacy"):
            self._held, self._share = _figure("", "held", events=["click"], on_mouse=self._click)
            self._chips = ui.element("div").classes("chips")
            self._guessed, self._caption = _figure("", "guessed")
            with ui.element("div").classes("act"):
                self._button = ui.button("Guess", icon="auto_fix_high", on_click=tab.guess).props(
                    "no-caps unelevated"
                )
                self._cancel = ui.button("Cancel", on_click=tab.stop).props("no-caps outline")
                self._progress = ui.linear_progress(show_value=False).props("rounded")
            self._said = ui.label().classes("said")
            self._numbers = ui.html("", sanitize=False).classes("numbers")
            self._words = ui.html("", sanitize=False).classes("words")
        self._idle()

    def clear(self) -> None:
        """Show nothing, while there is no pass."""
        self._held.set_source("")
        self._held.content, self._share.content = "", ""
        self._chips.clear()
        self.unguessed()

    def show(self) -> None:
        """Show what the coalition holds, and who is in it."""
        exploration = self._tab.exploration
        trial, coalition = exploration.trial, exploration.coalition
        if trial is None:
            return
        self.unguessed()
        servers = trial.plan.defense.servers
        self._held.set_source(drawing.picture_uri(drawing.held_picture(trial, coalition)))
        self._held.content = drawing.grid_svg(trial, coalition)
        shares = trial.shares()
        content = float(trial.covered[sorted(coalition)].any(axis=0).mean()) if coalition else 0.0
        exact = float(trial.view(sorted(coalition))[1].mean()) if coalition else 0.0
        self._share.content = (
            f"coalition of <b>{len(coalition)}</b> of {servers} · content of <b>{content:.0%}</b> of the picture, "
            f"<b>{exact:.0%}</b> exactly"
            if servers
            else "no server receives anything"
        )
        self._chips.clear()
        with self._chips:
            for server in range(servers):
                chosen = server in coalition
                chip = ui.element("button").classes("chip in" if chosen else "chip")
                chip.props(
                    f"aria-pressed={'true' if chosen else 'false'} "
                    f'title="server {server + 1}: {shares[server]:.0%} of the picture"'
                )
                chip.style(f"--server: {drawing.server_colour(server)}")
                chip.on("click", lambda server=server: self._tab.toggle(server))
                with chip:
                    ui.label(str(server + 1))

    def unguessed(self) -> None:
        """Show that there is no guess of what is chosen now."""
        self._guessed.set_source("")
        self._caption.content = f"no guess of <code>{escape(self._tab.exploration.attack.name)}</code> yet"
        self._numbers.content = self._words.content = ""
        self._said.text = ""
        self._idle()

    def waiting(self, ahead: int, seconds: float, usual: float | None) -> None:
        """Show how far a guess is: by the time that the attack's last one took."""
        self._button.set_visibility(False)
        self._cancel.set_visibility(True)
        self._progress.set_visibility(True)
        known = usual is not None and usual > 0
        self._progress.props(remove="indeterminate") if known else self._progress.props("indeterminate")
        if usual:
            self._progress.value = min(0.99, seconds / usual)
        before = f", {ahead} ahead in the queue" if ahead else ""
        about = f" of about {drawing.duration(usual)}" if usual else ""
        name = self._tab.exploration.attack.name
        self._said.text = f"{name} works in its confined process: {seconds:.0f} s{about}{before}."

    def guessed(self, guess: Guess) -> None:
        """Show a guess and how near it comes."""
        self._idle()
        self._said.text = ""
        self._guessed.set_source(drawing.picture_uri(guess.picture))
        self._caption.content = (
            f"guess of <code>{escape(guess.label)}</code> in {drawing.duration(guess.seconds)}"
        )
        rows = [
            _row(metric.column, metric.better == "lower", guess.distances, guess.floor)
            for metric in self._tab.workshop.attackers.metrics
        ]
        self._numbers.content = (
            "<table><thead><tr><th></th><th>hidden part</th><th>best floor</th><th>whole</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )
        self._words.content = '<span class="reading">reading words …</span>'

    def words(self, words: Words | str) -> None:
        """Show the words that were read, or why none can be read."""
        if isinstance(words, str):
            self._words.content = escape(words)
            return
        known = "" if words.known is None else f" · <b>{words.found}</b> of {words.known} planted words"
        listed = " ".join(f"<code>{escape(word)}</code>" for word in words.read) or "none"
        self._words.content = f"words read{known}: {listed}"

    def say(self, text: str) -> None:
        """Show what went wrong."""
        self._idle()
        self._said.text = text

    def _idle(self) -> None:
        self._button.set_visibility(True)
        self._cancel.set_visibility(False)
        self._progress.set_visibility(False)

    async def _click(self, event: events.MouseEventArguments) -> None:
        trial = self._tab.exploration.trial
        if trial is not None and (servers := drawing.servers_at(trial, event.image_x, event.image_y)):
            await self._tab.toggle(servers[0])


def _row(
    column: str,
    nearer_is_higher: bool,
    distances: Mapping[str, Mapping[str, float]],
    floor: Mapping[str, Mapping[str, float]],
) -> str:
    def cell(values: Mapping[str, float], region: str) -> str:
        return f"<td>{values[region]:.3f}</td>" if region in values else "<td></td>"

    arrow = "↑" if nearer_is_higher else "↓"
    name = column.partition("-")[0]
    title = f"{column}: {'higher' if nearer_is_higher else 'lower'} is nearer to the picture"
    return (
        f'<tr><th title="{escape(title)}">{escape(name)} {arrow}</th>{cell(distances[column], "hidden")}'
        f"{cell(floor[column], 'hidden')}{cell(distances[column], 'whole')}</tr>"
    )


class Latency:
    """When edge, link and servers worked, and how many bytes went over the link."""

    def __init__(self) -> None:
        with _column("Latency", "A real pass: edge, link and server processes on one clock.", "latency"):
            self._tiles = ui.html("", sanitize=False).classes("tiles")
            self._gantt = ui.html("", sanitize=False)
            self._said = ui.label().classes("said")

    def live(self, ahead: int, pending: Sequence[Pending], seconds: float) -> None:
        """Show the calls of a pass that is under way."""
        from pedbench.explore.trace import live_spans

        if not pending:
            queue = f"{ahead} ahead in the queue" if ahead else "starting servers or warming up"
            self._said.text = f"{queue}: {seconds:.0f} s" if seconds > 0.5 else ""
            return
        self._said.text = ""
        spans = live_spans(pending)
        servers = 1 + max(span.server or 0 for span in spans)
        self._gantt.content = drawing.gantt_html(spans, servers, max(span.end for span in spans) or 1e-3)

    def show(self, trial: Trial) -> None:
        """Show a pass that is over."""
        from pedbench.explore.trace import spans

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
        self._gantt.content = drawing.gantt_html(spans(done), servers, done.clock.stop - done.clock.start)
        self._said.text = ""

    def say(self, text: str) -> None:
        """Show what went wrong."""
        self._tiles.content = self._gantt.content = ""
        self._said.text = text
