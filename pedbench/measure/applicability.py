"""Reasons why an attack does not attack a defense."""

from __future__ import annotations

from pedbench.adversary.hosted.painter import host_of
from pedbench.measure.views import public_description
from pedbench.models.trained import untrained
from pedbench.suites.plan import DefensePlan, Plan, Planned


def inapplicable(plan: Plan, part: DefensePlan, planned: Planned) -> str:
    """Return why an attack, or the read-out that it completes, can say nothing about a defense; else nothing."""
    for plugin in planned.plugins:
        if reason := untrained(plugin.files):
            return f"{plugin.label}: {reason}"
        if plugin.hosted is not None and not plan.suite.allow_upload:
            return (
                f"{plugin.label} sends what servers received to {host_of(plugin.hosted)}: set allow_upload = true in "
                "the suite to permit it"
            )
    if part.defense.disclosure == "decoy":
        return ""
    description = public_description(plan, part)
    for plugin in reversed(planned.plugins):
        if reason := plugin.applies(description):
            return f"{plugin.label}: {reason}"
    return ""
