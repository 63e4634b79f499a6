"""Origin of a report: parameters, commit, versions and machine; and where pictures went."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from pedbench.report.tables.table import Cell, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import code
from pedbench.results.run import Run
from pedbench.suites.cell import canonical_json

_MOMENT = "utc"
"""The entry of the provenance of which only first and last are shown."""


def configurations(run: Run) -> Table:
    """Return all parameters of everything that took part."""
    rows: list[list[Cell]] = []
    for role, label in (("defense", run.defense), ("attack", run.attack), ("probe", run.probe)):
        plugins = {label(record): record.cell[role] for record in run.records if role in record.cell}
        rows += [
            [role, Code(name), str(plugin["version"]), Code(canonical_json(plugin["params"]))]
            for name, plugin in plugins.items()
        ]
    head = columns("role", "name", "version", "parameters", text=True)
    return Table(title="Configurations", columns=head, rows=rows)


def origin(run: Run) -> Iterator[tuple[str, list[str]]]:
    """Yield what the records say about their origin; several values where not all of them agree."""
    found: dict[str, dict[str, None]] = {}
    for record in run.records:
        for name, value in record.provenance.items():
            parts = (
                [f"{key} {_short(part)}" for key, part in value.items()]
                if isinstance(value, dict)
                else [_short(value)]
            )
            found.setdefault(name, {}).update(dict.fromkeys(parts))
    for name, values in found.items():
        listed = sorted(values) if name == _MOMENT else list(values)
        yield name, [listed[0], listed[-1]] if name == _MOMENT and len(listed) > 1 else listed


def _short(value: Any) -> str:
    """Return a value as text, a sha256 by its first digits."""
    text = value if isinstance(value, str) else canonical_json(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text


def upload_sentence(run: Run) -> str:
    """Return as Markdown to which hosts views were sent for which attacks, and how many; "" if none were."""
    sent: Counter[str] = Counter()
    attacks: dict[str, set[str]] = defaultdict(set)
    for record in run.records:
        uploads = record.provenance.get("uploads")
        for host, count in uploads.items() if isinstance(uploads, dict) else ():
            # Records may come from elsewhere.
            if not isinstance(count, int):
                continue
            sent[host] += count
            attacks[host].add(run.attack(record))
    parts = [
        f"{count} to {code(host)} for {', '.join(map(code, sorted(attacks[host])))}"
        for host, count in sorted(sent.items())
    ]
    if not parts:
        return ""
    return (
        f"**Uploads.** What views show of pictures was sent to other hosts: {'; '.join(parts)}. The count is summed "
        "over cells, and includes answers that were kept from earlier runs."
    )
