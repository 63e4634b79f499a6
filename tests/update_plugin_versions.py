"""Write down version and source hash of every in-tree plugin: `python tests/update_plugin_versions.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("plugin_versions.json")


def current() -> dict[str, dict[str, int | str]]:
    """Version and hash of the syntax tree of every in-tree plugin, by kind and name."""
    from pedbench.registry import KINDS, Registry, source_hash

    registry = Registry()
    return {
        f"{kind}/{name}": {"version": found.version, "source": source_hash(found)}
        for kind in KINDS
        for name, origin in registry.origins(kind).items()
        if origin.type == "in-tree" and (found := registry.plugin_class(kind, name))
    }


def unversioned(before: dict[str, dict[str, int | str]], now: dict[str, dict[str, int | str]]) -> list[str]:
    """Plugins whose source changed although their version did not."""
    return [
        name
        for name, entry in now.items()
        if name in before
        and entry["source"] != before[name]["source"]
        and entry["version"] == before[name]["version"]
    ]


if __name__ == "__main__":
    sys.path.insert(0, str(FILE.parents[1]))
    found = current()
    known = json.loads(FILE.read_text()) if FILE.is_file() else {}
    stale = unversioned(known, found)
    if stale and "--same-version" not in sys.argv:
        sys.exit(
            f"changed without a new version: {', '.join(stale)}. "
            "Raise `version`, or pass --same-version if no result can differ."
        )
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
