"""The base of attacks by a pretrained network that a parameter names."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pedbench.base import Attack
from pedbench.models.hub.folders import model_files, model_knowledge, model_reference


@dataclass(kw_only=True)
class PretrainedAttack(Attack):
    """An attack whose parameter `model` names the network that it loads.

    Attributes:
        model: The name of a model that pedbench ships, or a folder or hub id, which has to be on this machine.
    """

    model: str
    _network: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.model = model_reference(self.model)

    @property
    def files(self) -> tuple[Path, ...]:
        return model_files(self.model)

    @property
    def knowledge(self) -> str:
        return model_knowledge(self.model)

    @abstractmethod
    def load(self) -> Any:
        """Load the network, which has a method `to`, onto the CPU."""

    def prepare(self, device: str) -> None:
        self._network = (self._network or self.load()).to(device)

    @property
    def network(self) -> Any:
        """The network on the device of `prepare`.

        Raises:
            RuntimeError: `prepare` was not called.
        """
        if self._network is None:
            raise RuntimeError(f"{self!r} was called before prepare()")
        return self._network
