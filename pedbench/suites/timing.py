"""The table `latency` of a suite: its checks, and what servers on other machines make of it."""

from __future__ import annotations

from pedbench.base import Defense
from pedbench.latency.devices import THIS_HOST, find_device
from pedbench.network.links import NETWORK, find_link
from pedbench.registry import Registry
from pedbench.suites.files import SuiteError
from pedbench.suites.schema import ResolvedSuite, Suite


def check_latency(suite: Suite) -> None:
    """Raise if a link or a device is unknown, or half precision would enter more than times.

    Raises:
        SuiteError: As said.
    """
    devices = suite.latency.devices
    try:
        for link in suite.latency.links:
            find_link(link)
        for device in (devices.edge, devices.server) if devices else ():
            if device != THIS_HOST:
                find_device(device)
    except ValueError as error:
        raise SuiteError(f"latency: {error}") from None
    if suite.latency.dtype and (suite.utility or suite.attacks or suite.probes):
        raise SuiteError(
            f"latency.dtype: {suite.latency.dtype} is for suites that measure nothing but latency; {suite.name} has "
            "utility, attacks or probes."
        )


def on_machines(suite: ResolvedSuite, machines: int, registry: Registry) -> tuple[ResolvedSuite, list[str]]:
    """Return the suite as servers on other machines run it, and a sentence for each defense that needs more of them.

    Passes go over the network between the machines. Servers compute at once, each on a machine of its own, so that
    there are no turn-taking passes and none that are projected.

    Raises:
        SuiteError: All defenses call more servers than there are machines.
    """
    built: list[Defense] = [
        registry.create("defenses", choice.name, choice.params) for choice in suite.defenses
    ]
    fitting = [
        choice for choice, defense in zip(suite.defenses, built, strict=True) if defense.servers <= machines
    ]
    if not fitting:
        fewest = min(defense.servers for defense in built)
        raise SuiteError(f"every defense calls {fewest} servers or more, and --servers names {machines}.")
    latency = {"links": [NETWORK], "turn_taking": False, "devices": None}
    update = {"defenses": fitting, "latency": suite.latency.model_copy(update=latency)}
    return suite.model_copy(update=update), [
        f"left out: {each.label} calls {each.servers} servers, and --servers names {machines}"
        for each in built
        if each.servers > machines
    ]
