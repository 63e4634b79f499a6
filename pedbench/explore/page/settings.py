"""The choice of a plugin and its parameters, as controls of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nicegui import ui

from pedbench.explore.workshop import Workshop
from pedbench.suites.choices import Choice

if TYPE_CHECKING:
    from pedbench.explore.controls import Control
    from pedbench.registry import Kind


_SHOWN = 2
"""Parameters that are not folded away."""


class PluginSettings:
    """A menu of the plugins of a kind, what the chosen one is, and a control for each of its parameters.

    Args:
        changed: Called with the choice whenever it changes.
    """

    def __init__(self, workshop: Workshop, kind: Kind, chosen: str, changed: Callable[[Choice], Any]) -> None:
        self._workshop, self._kind, self._changed = workshop, kind, changed
        self._values: dict[str, Any] = {}
        self._defaults: dict[str, Any] = {}
        names = list(workshop.registry.origins(kind))
        self._menu = (
            ui.select(names, value=chosen, with_input=True, on_change=self._choose)
            .props(f'dense outlined options-dense aria-label="{kind}"')
            .classes(f"plugin {kind}")
        )
        self._about = ui.label().classes("about")
        self._parameters = ui.element("div").classes("parameters")
        ui.timer(0.01, lambda: self._draw(chosen), once=True)

    @property
    def choice(self) -> Choice:
        """The plugin with the parameters that differ from their defaults."""
        params = {name: value for name, value in self._values.items() if value != self._defaults[name]}
        return Choice(name=str(self._menu.value), params=params)

    async def _choose(self) -> None:
        if self._menu.value:
            await self._draw(str(self._menu.value))
            self._changed(self.choice)

    async def _draw(self, name: str) -> None:
        from pedbench.explore.controls import about, controls

        self._parameters.clear()
        self._values, self._defaults = {}, {}
        registry, models = self._workshop.registry, self._workshop.family
        try:
            self._about.text = about(registry, self._kind, name).replace("`", "")
            # An attack is asked in a process of its own.
            found = await asyncio.to_thread(controls, registry, self._kind, name, models)
        # The pass or the guess says what is wrong; a broken plugin can raise anything.
        except Exception:
            self._about.text = ""
            return
        self._defaults = {control.name: control.default for control in found}
        self._values = dict(self._defaults)
        with self._parameters:
            for control in found[:_SHOWN]:
                self._control(control)
            if found[_SHOWN:]:
                with ui.expansion("more parameters").props("dense").classes("more"):
                    for control in found[_SHOWN:]:
                        self._control(control)

    def _control(self, control: Control) -> None:
        with ui.element("div").classes("parameter"):
            if control.kind == "switch":
                ui.switch(
                    control.name,
                    value=control.default,
                    on_change=lambda event: self._set(control, event.value),
                ).props("dense")
            elif control.kind == "number":
                self._slider(control)
            elif control.kind == "choice":
                ui.select(
                    list(control.options),
                    value=control.default,
                    label=control.name,
                    with_input=True,
                    new_value_mode="add-unique",
                    on_change=lambda event: self._set(control, event.value),
                ).props("dense outlined options-dense")
            else:
                ui.input(control.name, value=control.default or "").props("dense outlined").on(
                    "change", lambda event: self._set(control, event.sender.value)
                )
            if control.about:
                ui.tooltip(control.about.replace("`", "")).classes("tip")

    def _slider(self, control: Control) -> None:
        step = 1 if control.whole else control.high / 100

        def moved(value: float | None) -> None:
            if value is not None:
                self._set(control, int(value) if control.whole else float(value))

        with ui.element("div").classes("slider"):
            ui.label(control.name)
            number = ui.number(value=control.default, step=step).props(
                f'dense borderless hide-bottom-space input-class="value" aria-label="{control.name}, typed"'
            )
            slider = ui.slider(min=control.low, max=control.high, step=step, value=control.default).props(
                f'aria-label="{control.name}"'
            )
            slider.bind_value(number)
            slider.on("change", lambda: moved(slider.value))
            number.on("change", lambda: moved(number.value))

    def _set(self, control: Control, value: Any) -> None:
        self._values[control.name] = value
        self._changed(self.choice)
