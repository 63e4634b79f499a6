"""The part of a suite that `--quick` runs."""

from __future__ import annotations

from pedbench.errors import suggestion
from pedbench.suites.files import SuiteError
from pedbench.suites.schema import Suite


def quicker(suite: Suite) -> Suite:
    """Return the part of a suite that `--quick` runs; it leaves out defenses that are limited to fewer pictures.

    Raises:
        SuiteError: The suite names no such part, or an attack that it does not have.
    """
    if suite.quick is None:
        raise SuiteError(
            f"suite {suite.name} has no part for --quick: a table [quick] with limit and attacks."
        )
    known = {choice.name for choice in suite.attacks}
    for name in suite.quick.attacks:
        if name not in known:
            raise SuiteError(
                f"[quick] names {name!r}, which is no attack of the suite{suggestion(name, known)}."
            )
    pictures = suite.quick.limit
    return suite.model_copy(
        update={
            "dataset": suite.dataset.model_copy(update={"limit": pictures}),
            "attacks": [choice for choice in suite.attacks if choice.name in suite.quick.attacks],
            "defenses": [
                choice.model_copy(update={"lies": None})
                for choice in suite.defenses
                if choice.limit is None or choice.limit >= pictures
            ],
            "latency": suite.latency.model_copy(update={"turn_taking": False}),
            "probes": [],
            "exhibits": min(1, suite.exhibits),
            "gallery": None,
            "quick": None,
        }
    )
