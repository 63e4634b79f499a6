"""Comparison of a suite with the published one of its name."""

from __future__ import annotations

from collections.abc import Collection

from pedbench.registry import Registry
from pedbench.suites.files import load_suite, suite_names
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import Suite


def differing_parts(
    suite: Suite, registry: Registry, ignored: Collection[str] = ("quick",)
) -> list[str] | None:
    """Return the parts of a resolved suite that the published one of its name has otherwise; None without any.

    Raises:
        PluginError: The published suite cannot be resolved here.
    """
    if suite.name not in suite_names():
        return None
    published = resolve(load_suite(suite.name), Overrides(), registry)
    return [
        name
        for name in type(published).model_fields
        if name not in ignored and getattr(published, name) != getattr(suite, name)
    ]
