"""Steps of a first contact, in order, and their results as files."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.first_contact.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a first contact.

    Attributes:
        title: Heading of its section on the page.
        module: Module of `tools.first_contact` with the functions `measure` and `show`.
        options: Further arguments of `measure`.
    """

    title: str
    module: str
    options: Mapping[str, str] = field(default_factory=dict)

    def measure(self, setting: Setting) -> dict[str, Any]:
        """Measure on the setting's device, and return what a JSON file can hold."""
        found: dict[str, Any] = self._import().measure(setting, **self.options)
        return found

    def show(self, result: Mapping[str, Any]) -> str:
        """Return a result as Markdown."""
        text: str = self._import().show(result)
        return text

    def _import(self) -> Any:
        return importlib.import_module(f"tools.first_contact.{self.module}")


STEPS = {
    "environment": Step(title="Environment", module="environment"),
    "parity": Step(title="Parity with the CPU", module="parity"),
    "attention": Step(title="Attention layers", module="attention"),
    "encoders_vit_b": Step(title="Encoders: ViT-B", module="encoders", options={"size": "vit_b"}),
    "encoders_vit_h": Step(title="Encoders: ViT-H", module="encoders", options={"size": "vit_h"}),
    "speedups": Step(title="Compilation, CUDA graphs, copies", module="speedups"),
    "mini": Step(title="The suite mini", module="mini"),
    "comparison": Step(title="The suite mini against the CPU", module="comparison"),
    "training": Step(title="Fine-tuning", module="training"),
}


def take(name: str, setting: Setting) -> Path:
    """Take a step, and return the JSON file of its result.

    Raises:
        ValueError: This machine does not have the setting's device.
    """
    from pedbench.host.device import choose_device
    from pedbench.host.files import write_atomically

    choose_device(setting.device)
    start = time.monotonic()
    result = STEPS[name].measure(setting)
    found = {
        "device": setting.device,
        "small": setting.small,
        "seconds": time.monotonic() - start,
        "result": result,
    }
    file = setting.folder / f"{name}.json"
    write_atomically(file, json.dumps(found, indent=1) + "\n")
    return file
