"""The card of the attack: which one, how far it is, and how near its guess comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import TYPE_CHECKING

from nicegui import ui

from pedbench.explore.page import drawing
from pedbench.explore.page.columns import axis
from pedbench.explore.page.settings import PluginSettings

if TYPE_CHECKING:
    from pedbench.explore.attackers import Guess, Words
    from pedbench.explore.exploration import Exploration
    from pedbench.suites.choices import Choice


class Attacker:
    """The attack of a tab.

    Args:
        choose: Called with an attack and its parameters.
        guess: Lets the attack guess.
        stop: Ends the guess.
    """

    def __init__(
        self,
        exploration: Exploration,
        *,
        choose: Callable[[Choice], None],
        guess: Callable[[], Awaitable[None]],
        stop: Callable[[], None],
    ) -> None:
        self._exploration = exploration
        with axis(
            "Attack", "Guesses the picture from what the coalition holds, in a confined process.", "attack"
        ):
            PluginSettings(exploration.workshop, "attacks", exploration.attack.name, choose)
            with ui.element("div").classes("act"):
                self._button = ui.button("Guess", on_click=guess).props("no-caps unelevated")
                self._cancel = ui.button("Cancel", on_click=stop).props("no-caps outline")
                self._progress = ui.linear_progress(show_value=False).props("rounded")
            self._status = ui.label().classes("said")
            self._numbers = ui.html("", sanitize=False).classes("numbers")
            self._words = ui.html("", sanitize=False).classes("words")
        self._idle()

    def clear(self) -> None:
        """Show no results."""
        self._numbers.content = self._words.content = ""
        self.say("")

    def waiting(self, ahead: int, seconds: float, usual: float | None) -> None:
        """Show how far a guess is, by the time that the attack's last one took."""
        self._button.set_visibility(False)
        self._cancel.set_visibility(True)
        self._progress.set_visibility(True)
        self._progress.props(remove="indeterminate") if usual else self._progress.props("indeterminate")
        if usual:
            self._progress.value = min(0.99, seconds / usual)
        self._status.classes(remove="failed")
        before = f"{ahead} ahead in the queue" if ahead else f"{self._exploration.attack.name} works"
        about = f" of about {drawing.duration(usual)}" if usual else ""
        self._status.text = f"{before}: {seconds:.0f} s{about}"

    def guessed(self, guess: Guess) -> None:
        """Show how near a guess comes."""
        self.say("")
        rows = [
            _row(metric.column, metric.better == "lower", guess.distances, guess.floor)
            for metric in self._exploration.workshop.attackers.metrics
        ]
        self._numbers.content = (
            "<table><thead><tr><th></th><th>hidden part</th><th>best floor</th><th>whole</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )
        self._words.content = "reading words …"

    def words(self, words: Words | str) -> None:
        """Show the words that were read, or why none can be read."""
        if isinstance(words, str):
            self._words.content = escape(words)
            return
        known = "" if words.known is None else f" (<b>{words.found}</b> of {words.known} planted ones)"
        listed = " ".join(f"<code>{escape(word)}</code>" for word in words.read) or "none"
        self._words.content = f"Words read{known}: {listed}"

    def say(self, text: str) -> None:
        """Show what went wrong."""
        self._idle()
        self._status.classes("failed")
        self._status.text = text

    def _idle(self) -> None:
        self._button.set_visibility(True)
        self._cancel.set_visibility(False)
        self._progress.set_visibility(False)


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
