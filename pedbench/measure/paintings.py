"""Views with what services paint of them, for hosted attacks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, MutableMapping
from dataclasses import replace
from typing import TypeVar

from pedbench.adversary.hosted.exchange import HostedError
from pedbench.adversary.hosted.painter import host_of
from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.measure.bench import Bench
from pedbench.suites.plan import Planned
from pedbench.types import View

K = TypeVar("K", bound=Hashable)


def painted(
    bench: Bench, planned: Planned, views: Mapping[K, View], uploaded: MutableMapping[K, str]
) -> dict[K, View]:
    """Add to views what a service paints of them; nothing but the view reaches it.

    Args:
        uploaded: Gets the host to which a view was sent, now or in an earlier run.

    Raises:
        AttackFailure: It painted nothing, or nothing may be uploaded here.
    """
    hosted, name = planned.plugin.hosted, planned.plugin.name
    if bench.painter is None:
        reason = "nothing is uploaded here: hosted attacks are for `pedbench run` on one machine"
        raise AttackFailure(name, "HostedError", reason)
    found: dict[K, View] = {}
    for key, view in views.items():
        before = bench.painter.sent
        try:
            found[key] = replace(view, paintings=bench.painter.paint(hosted, view))
        except (HostedError, OSError) as error:
            raise AttackFailure(name, type(error).__name__, str(error)) from error
        finally:
            if bench.painter.sent > before or (key in found and found[key].paintings):
                uploaded[key] = host_of(hosted)
    return found
